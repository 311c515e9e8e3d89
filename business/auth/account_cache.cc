#include "business/auth/account_cache.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/runtime/metrics.h"

namespace business {

using runtime::Result;
using runtime::Task;

namespace {

runtime::Counter& Lookups(const char* result) {
  return runtime::Metrics::Get().GetCounter(
      "xylem_auth_account_lookups_total",
      "Accounts looked up: in the cache, in the store, in the store because Redis was away",
      {{"result", result}});
}

}  // namespace

AccountCache::AccountCache(runtime::EventLoop* loop, AccountStore* store,
                           cluster::SessionRegistry* registry, std::chrono::milliseconds keep,
                           size_t max_entries)
    : loop_(loop),
      store_(store),
      registry_(registry),
      keep_ms_(static_cast<uint64_t>(keep.count())),
      max_entries_(std::max<size_t>(max_entries, 1)) {}

Task<Result<AccountCache::AccountPtr>> AccountCache::Find(xmpp::BareJid jid) {
  static runtime::Counter& hits = Lookups("hit");
  static runtime::Counter& misses = Lookups("miss");
  static runtime::Counter& unversioned = Lookups("no_version");
  loop_->AssertInLoop();

  // Before the SQL read: a change that commits in between raises the version above this one, so
  // what is kept under it is read again.
  const Result<uint64_t> version = co_await registry_->Version(jid);
  if (version.has_value()) {
    if (const Entry* entry = Valid(jid.ToString(), *version)) {
      hits.Add();
      co_return entry->account;
    }
  }
  (version.has_value() ? misses : unversioned).Add();
  const uint64_t asked_ms = loop_->NowMs();
  Result<std::optional<Account>> found = co_await store_->Find(jid);
  if (!found.has_value()) co_return found.error();
  AccountPtr account;
  if (found->has_value()) account = std::make_shared<const Account>(std::move(**found));
  if (version.has_value()) Keep({jid.ToString(), *version, asked_ms, account});
  co_return account;
}

const AccountCache::Entry* AccountCache::Valid(const std::string& jid, uint64_t version) const {
  const auto found = by_jid_.find(jid);
  if (found == by_jid_.end()) return nullptr;
  const Entry& entry = *found->second;
  return entry.version == version && !Expired(entry) ? &entry : nullptr;
}

bool AccountCache::Expired(const Entry& entry) const {
  return loop_->NowMs() >= entry.read_ms + keep_ms_;
}

void AccountCache::Keep(Entry entry) {
  if (const auto old = by_jid_.find(entry.jid); old != by_jid_.end()) {
    const Entries::iterator node = old->second;
    by_jid_.erase(old);  // first: its key lives in the node
    entries_.erase(node);
  }
  while (!entries_.empty() && (Expired(entries_.front()) || entries_.size() >= max_entries_)) {
    DropOldest();
  }
  entries_.push_back(std::move(entry));
  const auto node = std::prev(entries_.end());
  by_jid_.emplace(node->jid, node);
}

void AccountCache::DropOldest() {
  by_jid_.erase(entries_.front().jid);
  entries_.pop_front();
}

}  // namespace business
