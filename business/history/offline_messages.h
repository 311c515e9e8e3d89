// XEP-0160: Best Practices for Handling Offline Messages 1.0.1, with XEP-0203 delay.
#pragma once

#include "business/feature.h"
#include "business/history/history_options.h"

namespace business {

struct Shard;

Feature OfflineMessages(Shard* shard, HistoryOptions options);

}  // namespace business
