// Accounts by version (R13): a login costs one read of Redis, not one of SQL.
#pragma once

#include <chrono>
#include <memory>

#include "business/store/account_store.h"
#include "business/store/versioned_cache.h"

namespace business {

// One per loop, lives on it. Unknown accounts are remembered too.
class AccountCache {
 public:
  using AccountPtr = std::shared_ptr<const Account>;  // nullptr: no such account

  // Entries are used for at most `keep` (R13: ≤ 60 s); the oldest of more than `max_entries` goes.
  AccountCache(runtime::EventLoop* loop, AccountStore* store, cluster::SessionRegistry* registry,
               std::chrono::milliseconds keep, size_t max_entries = 100000)
      : world_{loop, registry},
        cache_(&world_, {.collection = "account", .keep = keep, .max_cost = max_entries},
               [store](xmpp::BareJid jid) { return Load(store, std::move(jid)); }) {}

  // As VersionedCache::Of.
  runtime::Task<runtime::Result<AccountPtr>> Find(xmpp::BareJid jid) {
    return cache_.Of(std::move(jid));
  }
  size_t size() const { return cache_.size(); }

 private:
  static runtime::Task<runtime::Result<AccountPtr>> Load(AccountStore* store, xmpp::BareJid jid);

  struct World {
    runtime::EventLoop* loop;
    cluster::SessionRegistry* registry;
  };
  const World world_;
  VersionedCache<AccountPtr, World> cache_;
};

}  // namespace business
