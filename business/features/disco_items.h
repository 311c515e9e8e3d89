#pragma once

#include "business/feature.h"

namespace business {

Feature DiscoItems();

}  // namespace business
