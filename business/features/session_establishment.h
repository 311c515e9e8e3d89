#pragma once

#include "business/feature.h"

namespace business {

Feature SessionEstablishment();

}  // namespace business
