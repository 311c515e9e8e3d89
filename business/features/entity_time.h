#pragma once

#include "business/feature.h"

namespace business {

Feature EntityTime();

}  // namespace business
