#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "lib/cluster/lease.h"
#include "lib/cluster/redis_keys.h"
#include "lib/runtime/log.h"

namespace cluster {
namespace {

using runtime::OneShot;
using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;
using Rows = std::vector<SessionRecord>;

constexpr size_t kPage = 128;   // accounts asked for at once
constexpr size_t kAtOnce = 32;  // accounts ended at once
constexpr uint64_t kNoGeneration = 0;

// KEYS lease, reaper. ARGV name, milliseconds, "1" if the lease must be gone. → 1 if the lock is
// ours for that time: taken now, or kept.
const runtime::RedisScript kHoldReaper("hold_reaper", R"lua(
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
)lua");

// KEYS lease, accounts. ARGV accounts … → 1, or 0 if the lease is back: then one of them may have
// bound anew, and all stay in the superset.
const runtime::RedisScript kStrikeAccounts("strike_accounts", R"lua(
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SREM', KEYS[2], unpack(ARGV))
return 1
)lua");

// KEYS lease, reaper, accounts, swept. ARGV name. → 1 if nothing of the manager is left.
const runtime::RedisScript kForgetManager("forget_manager", R"lua(
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('SCARD', KEYS[3]) > 0 then return 0 end
redis.call('DEL', KEYS[3], KEYS[4])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
)lua");

// KEYS reaper, swept. ARGV name, generation.
const runtime::RedisScript kFinishSweep("finish_sweep", R"lua(
redis.call('SET', KEYS[2], ARGV[2])
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
)lua");

bool Good(const RedisClient::Reply& reply) { return reply.has_value() && !reply->IsError(); }
bool IsOne(const RedisClient::Reply& reply) { return Good(reply) && reply->integer == 1; }

uint64_t WallMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

// A manager and its keys, which share a slot.
struct Manager {
  std::string name;
  uint64_t incarnation;
  std::string field;

  std::string lease() const { return ManagerLeaseKey(name, incarnation); }
  std::string reaper() const { return ManagerReaperKey(name, incarnation); }
  std::string accounts() const { return ManagerAccountsKey(name, incarnation); }
  std::string swept() const { return ManagerSweptKey(name, incarnation); }
};

// The way through one manager's superset. Lives in the frame of the task that walks it.
struct Walk {
  const Manager* manager;
  uint64_t generation;  // rows announced under an older one end; kNoGeneration: all rows
  std::vector<std::string> page;
  size_t next = 0;                        // of the page
  std::vector<std::string> struck;        // of the page: ended, to be taken off the superset
  absl::flat_hash_set<std::string> told;  // SSCAN may name an account twice
  size_t workers = 0;
  OneShot<bool>* page_ended = nullptr;
  bool complete = true;
  uint64_t sessions = 0;

  bool reaps() const { return generation == kNoGeneration; }
};

}  // namespace

struct Reaper::Impl : std::enable_shared_from_this<Impl> {
  struct Unlinked {
    uint64_t since_ms;
    uint64_t vouched_ms;  // Link's
  };

  Impl(runtime::EventLoop* l, RedisClient* r, SessionRegistry* reg, std::string b, Options o,
       OnEnded e)
      : loop(l),
        redis(r),
        registry(reg),
        business(std::move(b)),
        options(o),
        on_ended(std::move(e)),
        round_timer(this, [](Impl* impl) { runtime::Spawn(Round(impl->shared_from_this())); }),
        vouch_timer(this, [](Impl* impl) { impl->VouchForAll(); }) {}

  uint64_t lease_ms() const { return static_cast<uint64_t>(options.lease.count()); }
  bool Past(uint64_t since_ms, std::chrono::milliseconds time) const {
    return loop->NowMs() - since_ms >= static_cast<uint64_t>(time.count());
  }

  // Vouching

  void Vouch(const std::string& field) {
    std::optional<std::pair<std::string, uint64_t>> manager = ParseManagerField(field);
    if (!manager.has_value()) return;
    std::string lease = ManagerLeaseKey(manager->first, manager->second);
    // The lease first: nobody sees the manager listed and without one.
    redis->Command(lease, {"SET", lease, "1", "PX", std::to_string(options.lease.count())},
                   [self = shared_from_this(), field](RedisClient::Reply reply) {
                     auto link = self->links.find(field);
                     if (Good(reply) && link != self->links.end()) {
                       link->second.vouched_ms = self->loop->NowMs();
                     }
                   });
    std::string managers = ManagersKey();
    redis->Command(managers, {"HSETNX", managers, field, std::to_string(WallMs())},
                   [](RedisClient::Reply) {});
  }

  void VouchForAll() {
    if (Past(vouched_ms, options.lease)) awake_since_ms = loop->NowMs();
    vouched_ms = loop->NowMs();
    for (const auto& [field, link] : links) Vouch(field);
    absl::erase_if(unlinked,
                   [&](const auto& u) { return Past(u.second.since_ms, 4 * options.lease); });
    loop->Arm(&vouch_timer, std::max(options.lease / 3, std::chrono::milliseconds(1)));
  }

  // Whether a missing lease means anything. After a standstill, of Redis or of this process, others
  // get two leases' time to renew theirs.
  bool Calm() const {
    uint64_t whole = redis->whole_since_ms();
    return whole != 0 && !Past(vouched_ms, options.lease) &&
           Past(std::max(whole, awake_since_ms), 2 * options.lease);
  }

  // Of a manager whose lease we renewed ourselves since Redis is whole, a missing lease means what it
  // says: nothing was lost meanwhile, and nobody has to be given time.
  bool RenewedSinceWhole(const Unlinked& manager) const {
    const uint64_t whole = redis->whole_since_ms();
    return whole != 0 && !Past(vouched_ms, options.lease) &&
           manager.vouched_ms >= std::max(whole, awake_since_ms);
  }

  // Rounds

  static Task<void> Round(std::shared_ptr<Impl> self) {
    RedisClient::Args all{"HKEYS", ManagersKey()};
    RedisClient::Reply reply = co_await self->redis->Command(ManagersKey(), std::move(all));
    if (self->stopped) co_return;
    if (Good(reply)) {
      for (const RedisReply& field : reply->array) {
        co_await self->Consider(field.text);
        if (self->stopped) co_return;
      }
    }
    self->loop->Arm(&self->round_timer, self->options.interval);
  }

  Task<void> Consider(std::string field) {
    std::optional<std::pair<std::string, uint64_t>> parsed = ParseManagerField(field);
    if (!parsed.has_value()) co_return;
    Manager manager{std::move(parsed->first), parsed->second, std::move(field)};
    if (auto link = links.find(manager.field); link != links.end()) {
      const bool due = generation != kNoGeneration && link->second.swept < generation &&
                       Past(generation_ms, options.settling) &&
                       Past(link->second.since_ms, options.settling) && Calm();
      if (due) co_await Sweep(manager);
      co_return;
    }
    // Its link broke just now: it may come back to another server, or to this one.
    const auto at = unlinked.find(manager.field);
    if (at != unlinked.end() && !Past(at->second.since_ms, options.lease)) co_return;
    const bool known = at != unlinked.end() && RenewedSinceWhole(at->second);
    RedisClient::Args exists{"EXISTS", manager.lease()};
    RedisClient::Reply lease = co_await redis->Command(manager.lease(), std::move(exists));
    if (stopped || !Good(lease) || lease->integer != 0) co_return;
    if (!known && !Calm()) {
      ++stats.held_back;
      co_return;
    }
    co_await Reap(manager);
  }

  Task<void> Reap(const Manager& manager) {
    Walk walk{.manager = &manager, .generation = kNoGeneration};
    const bool complete = co_await EndAccounts(&walk);
    stats.sessions_reaped += walk.sessions;
    if (stopped || !complete) co_return;
    RedisClient::Args keys{manager.lease(), manager.reaper(), manager.accounts(), manager.swept()};
    RedisClient::Args args{business};
    RedisClient::Reply empty =
        co_await redis->Eval(kForgetManager, std::move(keys), std::move(args));
    if (stopped || !IsOne(empty)) co_return;
    RedisClient::Args forget{"HDEL", ManagersKey(), manager.field};
    RedisClient::Reply gone = co_await redis->Command(ManagersKey(), std::move(forget));
    if (!IsOne(gone)) co_return;  // not an answer, or another server was quicker
    ++stats.managers_reaped;
    runtime::LogWarn("manager_reaped", "a manager's lease is gone; its sessions were ended",
                     {{"manager", manager.field}, {"sessions", walk.sessions}});
  }

  Task<void> Sweep(const Manager& manager) {
    const uint64_t target = generation;
    RedisClient::Args get{"GET", manager.swept()};
    RedisClient::Reply swept = co_await redis->Command(manager.swept(), std::move(get));
    if (stopped || !Good(swept)) co_return;
    if (strtoull(swept->text.c_str(), nullptr, 10) < target) {
      Walk walk{.manager = &manager, .generation = target};
      const bool complete = co_await EndAccounts(&walk);
      stats.sessions_swept += walk.sessions;
      if (stopped || !complete) co_return;
      RedisClient::Args keys{manager.reaper(), manager.swept()};
      RedisClient::Args args{business, std::to_string(target)};
      RedisClient::Reply done =
          co_await redis->Eval(kFinishSweep, std::move(keys), std::move(args));
      if (stopped || !IsOne(done)) co_return;
      ++stats.managers_swept;
      if (walk.sessions > 0) {
        runtime::LogWarn("manager_swept", "sessions not announced since Redis was lost were ended",
                         {{"manager", manager.field}, {"sessions", walk.sessions}});
      }
    }
    if (auto link = links.find(manager.field); link != links.end()) link->second.swept = target;
  }

  // The superset

  // Takes or keeps the lock.
  Task<bool> Hold(const Walk* walk) {
    RedisClient::Args keys{walk->manager->lease(), walk->manager->reaper()};
    RedisClient::Args args{business, std::to_string(options.lock.count()),
                           walk->reaps() ? "1" : "0"};
    RedisClient::Reply held = co_await redis->Eval(kHoldReaper, std::move(keys), std::move(args));
    co_return IsOne(held);
  }

  // True if every account of the manager was dealt with, under the lock.
  Task<bool> EndAccounts(Walk* walk) {
    std::string cursor = "0";
    do {
      const bool held = co_await Hold(walk);
      if (stopped || !held) co_return false;
      RedisClient::Args scan{"SSCAN", walk->manager->accounts(), cursor, "COUNT",
                             std::to_string(kPage)};
      RedisClient::Reply page = co_await redis->Command(walk->manager->accounts(), std::move(scan));
      if (stopped || !Good(page) || page->array.size() != 2) co_return false;
      cursor = page->array[0].text;
      walk->page.clear();
      for (RedisReply& account : page->array[1].array) {
        walk->page.push_back(std::move(account.text));
      }
      co_await EndPage(walk);
      if (stopped) co_return false;
      if (walk->reaps() && !walk->struck.empty()) {
        RedisClient::Args keys{walk->manager->lease(), walk->manager->accounts()};
        RedisClient::Reply struck =
            co_await redis->Eval(kStrikeAccounts, std::move(keys), std::move(walk->struck));
        if (stopped || !IsOne(struck)) co_return false;
      }
    } while (cursor != "0");
    co_return walk->complete;
  }

  Task<void> EndPage(Walk* walk) {
    OneShot<bool> ended;
    walk->next = 0;
    walk->struck.clear();
    walk->page_ended = &ended;
    walk->workers = std::min(kAtOnce, walk->page.size());
    if (walk->workers == 0) co_return;
    for (size_t i = walk->workers; i > 0; --i) runtime::Spawn(Work(shared_from_this(), walk));
    (void)co_await ended;
  }

  static Task<void> Work(std::shared_ptr<Impl> self, Walk* walk) {
    while (walk->next < walk->page.size() && !self->stopped) {
      co_await self->EndAccount(walk, walk->page[walk->next++]);
    }
    if (--walk->workers == 0) walk->page_ended->Set(true);
  }

  Task<void> EndAccount(Walk* walk, std::string text) {
    xmpp::BareJid account = xmpp::BareJid::FromNormalized(text);
    const Manager& manager = *walk->manager;
    Result<Rows> rows = Rows();
    if (walk->reaps()) {
      rows = co_await registry->EndAllOf(account, manager.name, manager.incarnation);
    } else {
      rows = co_await registry->SweepAccount(account, manager.name, manager.incarnation,
                                             walk->generation);
    }
    if (stopped) co_return;
    if (!rows.has_value()) {
      walk->complete = false;  // stays in the superset: the next round tries again
      co_return;
    }
    if (!rows->empty() && walk->told.insert(text).second) {
      walk->sessions += rows->size();
      for (const SessionRecord& row : *rows) on_ended(account, row);
    }
    walk->struck.push_back(std::move(text));
  }

  struct ImplTimer : runtime::Timer {
    ImplTimer(Impl* i, void (*r)(Impl*))
        : Timer([](Timer* t) {
            auto* self = static_cast<ImplTimer*>(t);
            self->run(self->impl);
          }),
          impl(i),
          run(r) {}
    Impl* impl;
    void (*run)(Impl*);
  };
  struct Link {
    int streams = 0;
    uint64_t since_ms = 0;
    uint64_t swept = kNoGeneration;  // known to be swept up to this generation
    uint64_t vouched_ms = 0;         // when Redis last said that the lease is renewed
  };

  runtime::EventLoop* const loop;
  RedisClient* const redis;
  SessionRegistry* const registry;
  const std::string business;
  const Options options;
  OnEnded on_ended;
  absl::flat_hash_map<std::string, Link> links;  // by ManagerField
  absl::flat_hash_map<std::string, Unlinked> unlinked;  // lately
  uint64_t generation = kNoGeneration;
  uint64_t generation_ms = 0;   // when we heard of it
  uint64_t vouched_ms = 0;      // when the vouching timer fired last
  uint64_t awake_since_ms = 0;  // this process stood still until then
  Stats stats;
  bool stopped = false;  // `redis` and `registry` may be gone
  ImplTimer round_timer, vouch_timer;
};

Reaper::Reaper(runtime::EventLoop* loop, RedisClient* redis, SessionRegistry* registry,
               std::string business, Options options, OnEnded on_ended)
    : impl_(std::make_shared<Impl>(loop, redis, registry, std::move(business), options,
                                   std::move(on_ended))) {}

Reaper::~Reaper() {
  impl_->stopped = true;
  impl_->round_timer.Cancel();
  impl_->vouch_timer.Cancel();
}

void Reaper::Start() {
  impl_->loop->AssertInLoop();
  impl_->vouched_ms = impl_->loop->NowMs();
  impl_->VouchForAll();
  impl_->loop->Arm(&impl_->round_timer, impl_->options.interval);
}

void Reaper::SetGeneration(uint64_t generation) {
  impl_->loop->AssertInLoop();
  if (generation <= impl_->generation) return;
  impl_->generation = generation;
  impl_->generation_ms = impl_->loop->NowMs();
}

void Reaper::ManagerLinked(const std::string& manager, uint64_t incarnation) {
  impl_->loop->AssertInLoop();
  std::string field = ManagerField(manager, incarnation);
  impl_->unlinked.erase(field);
  Impl::Link& link = impl_->links[field];
  if (++link.streams > 1) return;
  link.since_ms = impl_->loop->NowMs();
  impl_->Vouch(field);
}

void Reaper::ManagerUnlinked(const std::string& manager, uint64_t incarnation) {
  impl_->loop->AssertInLoop();
  std::string field = ManagerField(manager, incarnation);
  auto link = impl_->links.find(field);
  if (link == impl_->links.end() || --link->second.streams > 0) return;
  impl_->unlinked[field] = {impl_->loop->NowMs(), link->second.vouched_ms};
  impl_->links.erase(link);
}

Reaper::Stats Reaper::stats() const { return impl_->stats; }

}  // namespace cluster
