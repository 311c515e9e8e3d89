// Rosters by account version (R13): presence and logins of who is active cost no SQL.
#pragma once

#include <chrono>

#include "business/presence/roster_lookup.h"
#include "business/session/shard.h"
#include "business/store/versioned_cache.h"

namespace business {

// One per loop, lives on it.
class RosterCache final : public RosterLookup {
 public:
  struct Options {
    std::chrono::milliseconds keep{60000};  // R13: ≤ 60 s
    // Of all rosters together; about 250 bytes each. The oldest rosters of more go.
    size_t max_contacts = 200000;
  };

  RosterCache(Shard* shard, Options options);

  runtime::Task<runtime::Result<RosterPtr>> RosterOf(xmpp::BareJid account) override {
    return cache_.Of(std::move(account));
  }
  size_t size() const { return cache_.size(); }

 private:
  VersionedCache<RosterPtr, Shard> cache_;
};

}  // namespace business
