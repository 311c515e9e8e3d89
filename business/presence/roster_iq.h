// RFC 6121 §2: rosters, with versions (§2.6) and pre-approval (§3.4).
#pragma once

#include "business/feature.h"

namespace business {

struct Shard;

Feature RosterManagement(Shard* shard);

}  // namespace business
