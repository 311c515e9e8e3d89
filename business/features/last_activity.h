#pragma once

#include "business/feature.h"

namespace business {

struct Shard;

Feature LastActivity(Shard* shard);

}  // namespace business
