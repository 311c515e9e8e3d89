#include "business/presence/roster_cache.h"

#include <iterator>
#include <utility>

#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/metrics.h"

namespace business {

using runtime::Result;
using runtime::Task;

namespace {

runtime::Counter& Lookups(const char* result) {
  return runtime::Metrics::Get().GetCounter(
      "xylem_roster_lookups_total",
      "Rosters looked up: in the cache, in the store, in the store because Redis was away",
      {{"result", result}});
}

}  // namespace

Task<Result<RosterPtr>> RosterCache::RosterOf(xmpp::BareJid account) {
  static runtime::Counter& hits = Lookups("hit");
  static runtime::Counter& misses = Lookups("miss");
  static runtime::Counter& unversioned = Lookups("no_version");
  shard_->loop->AssertInLoop();

  // Before the SQL read: a change that commits in between raises the version above this one, so
  // what is kept under it is read again.
  const Result<uint64_t> version = co_await shard_->registry->Version(account);
  if (version) {
    if (const Entry* entry = Valid(account.ToString(), *version)) {
      hits.Add();
      co_return entry->roster;
    }
  }
  (version ? misses : unversioned).Add();
  const uint64_t asked_ms = shard_->loop->NowMs();
  Result<Roster> loaded = co_await shard_->stores->rosters->Load(account);
  if (!loaded) co_return loaded.error();
  RosterPtr roster = std::make_shared<const Roster>(*std::move(loaded));
  if (version) Keep({account.ToString(), *version, asked_ms, roster});
  co_return roster;
}

const RosterCache::Entry* RosterCache::Valid(const std::string& account, uint64_t version) const {
  const auto found = by_account_.find(account);
  if (found == by_account_.end()) return nullptr;
  const Entry& entry = *found->second;
  return entry.version == version && !Expired(entry) ? &entry : nullptr;
}

bool RosterCache::Expired(const Entry& entry) const {
  return shard_->loop->NowMs() >= entry.read_ms + static_cast<uint64_t>(options_.keep.count());
}

void RosterCache::Keep(Entry entry) {
  if (const auto old = by_account_.find(entry.account); old != by_account_.end()) {
    // Two that loaded at once: the newer version stays.
    if (old->second->version > entry.version) return;
    Drop(old->second);
  }
  cost_ += entry.cost();
  entries_.push_back(std::move(entry));
  const auto node = std::prev(entries_.end());
  by_account_.emplace(node->account, node);
  while (!entries_.empty() && (Expired(entries_.front()) || cost_ > options_.max_contacts)) {
    Drop(entries_.begin());
  }
}

void RosterCache::Drop(Entries::iterator entry) {
  by_account_.erase(entry->account);  // first: its key lives in the entry
  cost_ -= entry->cost();
  entries_.erase(entry);
}

}  // namespace business
