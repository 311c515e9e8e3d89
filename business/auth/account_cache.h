// Accounts by version (design R13): a login costs one read of Redis, not one of SQL.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "business/store/account_store.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

// One per loop, lives on it.
class AccountCache {
 public:
  // Entries are used for at most `keep` (R13: ≤ 60 s); the oldest of more than `max_entries` goes.
  AccountCache(runtime::EventLoop* loop, AccountStore* store, cluster::SessionRegistry* registry,
               std::chrono::milliseconds keep, size_t max_entries = 100000);

  using AccountPtr = std::shared_ptr<const Account>;  // nullptr: no such account

  // The account as it was committed when this was asked, or newer. Unknown accounts are remembered
  // too. While Redis cannot say the version the store is read. Errors: the store's.
  runtime::Task<runtime::Result<AccountPtr>> Find(xmpp::BareJid jid);

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string jid;
    uint64_t version;
    uint64_t read_ms;  // loop time
    AccountPtr account;
  };
  using Entries = std::list<Entry>;

  const Entry* Valid(const std::string& jid, uint64_t version) const;
  bool Expired(const Entry& entry) const;
  void Keep(Entry entry);
  void DropOldest();

  runtime::EventLoop* const loop_;
  AccountStore* const store_;
  cluster::SessionRegistry* const registry_;
  const uint64_t keep_ms_;
  const size_t max_entries_;

  Entries entries_;  // the oldest first: they expire in this order
  absl::flat_hash_map<std::string_view, Entries::iterator> by_jid_;  // keys live in entries_
};

}  // namespace business
