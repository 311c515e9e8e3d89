// XEP-0313: Message Archive Management 1.1: what clients ask of their own archive. With XEP-0059
// (pages), XEP-0431 (full text) and XEP-0441 (preferences).
#pragma once

#include "business/feature.h"
#include "business/history/history_options.h"

namespace business {

struct Shard;

Feature ArchiveQueries(Shard* shard, HistoryOptions options);
Feature ArchivePreferencesIq(Shard* shard);

}  // namespace business
