// Rosters by account version (design R13): presence and logins of who is active cost no SQL.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "business/presence/roster_lookup.h"

namespace business {

struct Shard;

// One per loop, lives on it.
class RosterCache final : public RosterLookup {
 public:
  struct Options {
    std::chrono::milliseconds keep{60000};  // R13: ≤ 60 s
    // Of all rosters together; about 250 bytes each. The oldest rosters of more go.
    size_t max_contacts = 200000;
  };

  RosterCache(Shard* shard, Options options) : shard_(shard), options_(options) {}

  runtime::Task<runtime::Result<RosterPtr>> RosterOf(xmpp::BareJid account) override;

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string account;
    uint64_t version;
    uint64_t read_ms;  // loop time
    RosterPtr roster;
    size_t cost() const { return roster->entries.size() + 1; }
  };
  using Entries = std::list<Entry>;

  const Entry* Valid(const std::string& account, uint64_t version) const;
  bool Expired(const Entry& entry) const;
  void Keep(Entry entry);
  void Drop(Entries::iterator entry);

  Shard* const shard_;
  const Options options_;
  Entries entries_;  // the oldest first: they expire in this order
  absl::flat_hash_map<std::string_view, Entries::iterator> by_account_;  // keys live in entries_
  size_t cost_ = 0;
};

}  // namespace business
