// What is read from SQL for an account, kept by the account's version (R13).
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/functional/any_invocable.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <list>
#include <string>
#include <string_view>
#include <utility>

#include "lib/cluster/session_registry.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/metrics.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

// One per loop, lives on it. `Value` is cheap to copy: a shared_ptr to something immutable. `World`
// has `loop` and `registry`, which are looked at when something is asked: a Shard, mostly.
template <typename Value, typename World>
class VersionedCache {
 public:
  using Load = std::function<runtime::Task<runtime::Result<Value>>(xmpp::BareJid account)>;
  using Done = absl::AnyInvocable<void(runtime::Result<Value>)>;
  struct Options {
    std::string_view collection;            // label of the look-ups' metric; lives for ever
    std::chrono::milliseconds keep{60000};  // R13: ≤ 60 s
    // Of all entries together; the oldest of more go.
    size_t max_cost = 100000;
    size_t (*cost)(const Value&) = [](const Value&) -> size_t { return 1; };
  };

  VersionedCache(const World* world, Options options, Load load)
      : world_(world),
        options_(options),
        load_(std::move(load)),
        hits_(CounterOf("hit")),
        misses_(CounterOf("miss")),
        unversioned_(CounterOf("no_version")) {}

  // As it was committed when this was asked, or newer. While Redis cannot say the version the store
  // is read. Errors: the store's.
  runtime::Task<runtime::Result<Value>> Of(xmpp::BareJid account) {
    runtime::OneShot<runtime::Result<Value>> found;
    Of(std::move(account), [&found](runtime::Result<Value> value) { found.Set(std::move(value)); });
    runtime::Result<Value> value = co_await found;
    co_return value;
  }
  // The same for the stanza path: no coroutine while the cache has it. The owner of the cache
  // outlives what was asked.
  void Of(xmpp::BareJid account, Done done) {
    world_->loop->AssertInLoop();
    // Before the SQL read: a change that commits in between raises the version above this one, so
    // what is kept under it is read again.
    world_->registry->Version(account, [this, account, done = std::move(done)](
                                           runtime::Result<uint64_t> version) mutable {
      if (version) {
        if (const Entry* entry = Valid(account.ToString(), *version)) {
          hits_.Add();
          return done(entry->value);
        }
      }
      (version ? misses_ : unversioned_).Add();
      runtime::Spawn(Read(this, std::move(account), std::move(version), std::move(done)));
    });
  }

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string account;
    uint64_t version;
    uint64_t read_ms;  // loop time
    Value value;
  };
  using Entries = std::list<Entry>;

  static runtime::Task<void> Read(VersionedCache* self, xmpp::BareJid account,
                                  runtime::Result<uint64_t> version, Done done) {
    const uint64_t asked_ms = self->world_->loop->NowMs();
    runtime::Result<Value> loaded = co_await self->load_(account);
    if (loaded && version) self->Keep({account.ToString(), *version, asked_ms, *loaded});
    done(std::move(loaded));
  }

  runtime::Counter& CounterOf(const char* result) {
    return runtime::Metrics::Get().GetCounter(
        "xylem_account_data_lookups_total",
        "Account data looked up: in the cache, in the store, in the store because Redis was away",
        {{"collection", std::string(options_.collection)}, {"result", result}});
  }
  bool Expired(const Entry& entry) const {
    return world_->loop->NowMs() >= entry.read_ms + static_cast<uint64_t>(options_.keep.count());
  }
  const Entry* Valid(const std::string& account, uint64_t version) const {
    const auto found = by_account_.find(account);
    if (found == by_account_.end()) return nullptr;
    const Entry& entry = *found->second;
    return entry.version == version && !Expired(entry) ? &entry : nullptr;
  }
  void Keep(Entry entry) {
    if (const auto old = by_account_.find(entry.account); old != by_account_.end()) {
      // Two that loaded at once: the newer version stays.
      if (old->second->version > entry.version) return;
      Drop(old->second);
    }
    cost_ += options_.cost(entry.value);
    entries_.push_back(std::move(entry));
    const auto node = std::prev(entries_.end());
    by_account_.emplace(node->account, node);
    while (!entries_.empty() && (Expired(entries_.front()) || cost_ > options_.max_cost)) {
      Drop(entries_.begin());
    }
  }
  void Drop(typename Entries::iterator entry) {
    by_account_.erase(entry->account);  // first: its key lives in the entry
    cost_ -= options_.cost(entry->value);
    entries_.erase(entry);
  }

  const World* const world_;
  const Options options_;
  const Load load_;
  runtime::Counter &hits_, &misses_, &unversioned_;
  Entries entries_;  // the oldest first: they expire in this order
  absl::flat_hash_map<std::string_view, typename Entries::iterator> by_account_;
  size_t cost_ = 0;
};

}  // namespace business
