// Versions of a store's tables, whatever the engine.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/runtime/result.h"

namespace business {

// One step: what takes a store from `version` - 1 to `version`. Steps only add, so that the release
// before can go on with the tables of this one.
struct Migration {
  int version;
  const char* sql;
};

// Is a store of schema `version` behind the last of `steps`? One version ahead is run on, with a
// warning; more is refused in one sentence.
runtime::Result<bool> IsBehind(int64_t version, const std::vector<Migration>& steps);

}  // namespace business
