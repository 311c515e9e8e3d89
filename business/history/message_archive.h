// XEP-0313 §5: messages go into archives, before anybody gets them.
#pragma once

#include <memory>

#include "business/feature.h"
#include "business/history/archive_preferences.h"
#include "business/history/history_options.h"

namespace business {

struct Shard;

// Stages only; what clients ask of their archives is in archive_queries.h. Behind StanzaIds.
Feature MessageArchive(Shard* shard, std::shared_ptr<ArchivePreferencesCache> preferences,
                       HistoryOptions options);

}  // namespace business
