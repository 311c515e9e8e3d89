#pragma once

#include "business/feature.h"

namespace business {

Feature Ping();

}  // namespace business
