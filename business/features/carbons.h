#pragma once

#include "business/feature.h"

namespace business {

Feature Carbons();

}  // namespace business
