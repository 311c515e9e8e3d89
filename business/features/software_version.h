#pragma once

#include "business/feature.h"

namespace business {

Feature SoftwareVersion();

}  // namespace business
