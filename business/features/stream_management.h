#pragma once

#include "business/feature.h"

namespace business {

Feature StreamManagement();

}  // namespace business
