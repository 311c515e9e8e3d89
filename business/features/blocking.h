#pragma once

#include <memory>

#include "business/feature.h"

namespace business {

class BlockLists;
struct Shard;

// Fills in the shard's audience_filter and listener_filter: presence passes them.
Feature Blocking(Shard* shard, std::shared_ptr<BlockLists> lists);

}  // namespace business
