// Leases of managers, and who reaps what a dead manager left (R8).
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/redis_client.h"

namespace cluster {

// A manager's own lease: SET … PX every third of its time. Lives on its loop. Losing Redis changes
// nothing for its clients.
class ManagerLease {
 public:
  ManagerLease(runtime::EventLoop* loop, runtime::RedisClient* redis, std::string manager,
               uint64_t incarnation, std::chrono::milliseconds time);
  ~ManagerLease();
  void Start();
  // Drops the lease at once: the manager has closed all sessions and exits.
  void Release(absl::AnyInvocable<void()> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// One per business process, on its loop 0; `business` is its name among them. Every interval: for
// each manager in x:managers whose
// lease is gone, which no business server vouches for, and with Redis whole for two leases, takes
// the reaper's lock, ends the rows of each account of its superset, calls `on_ended` for each row,
// then forgets the manager.
//
// Vouching: while this server holds a link to a manager it renews that manager's lease itself, so
// a manager cut off from Redis alone keeps its clients.
//
// Sweeping: an older copy of Redis brings back rows of sessions that live managers no longer hold.
// Some time after a generation was raised, what they have not announced under it is ended too.
//
// `on_ended` comes at least once for a row: again if a reaper died at its work and another did it
// over within two minutes.
class Reaper {
 public:
  struct Options {
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds lease{10000};
    // From a raised generation, and from a manager's link, to the sweep: the time to announce.
    std::chrono::milliseconds settling{20000};
    // How long a reaper that died keeps others away from its manager.
    std::chrono::milliseconds lock{10000};
  };
  using OnEnded = absl::AnyInvocable<void(const xmpp::BareJid& account, const SessionRecord& row)>;
  Reaper(runtime::EventLoop* loop, runtime::RedisClient* redis, SessionRegistry* registry,
         std::string business, Options options, OnEnded on_ended);
  ~Reaper();
  void Start();
  // The newest generation of Redis; starts sweeping (GenerationKeeper's `on_generation`).
  void SetGeneration(uint64_t generation);
  // Once for each link; a manager has one per event loop.
  void ManagerLinked(const std::string& manager, uint64_t incarnation);
  void ManagerUnlinked(const std::string& manager, uint64_t incarnation);
  struct Stats {
    uint64_t managers_reaped = 0, sessions_reaped = 0;
    uint64_t held_back = 0;  // times that a manager without lease was spared: Redis not whole
    uint64_t managers_swept = 0, sessions_swept = 0;
  };
  Stats stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cluster
