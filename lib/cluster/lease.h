// Leases of managers, and who reaps what a dead manager left (design R8).
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

// One per business process, on its loop 0. Every interval: for each manager in x:managers whose
// lease is gone, which no business server vouches for, and with Redis whole for two leases, takes
// the reaper's lock, ends the rows of each account of its superset, calls `on_ended` for each row,
// then forgets the manager.
//
// Vouching: while this server holds a link to a manager it renews that manager's lease itself, so
// a manager cut off from Redis alone keeps its clients (faults.md F15).
class Reaper {
 public:
  struct Options {
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds lease{10000};
  };
  using OnEnded = absl::AnyInvocable<void(const xmpp::BareJid& account, const SessionRecord& row)>;
  Reaper(runtime::EventLoop* loop, runtime::RedisClient* redis, SessionRegistry* registry,
         std::string business, Options options, OnEnded on_ended);
  ~Reaper();
  void Start();
  void ManagerLinked(const std::string& manager, uint64_t incarnation);
  void ManagerUnlinked(const std::string& manager, uint64_t incarnation);
  struct Stats {
    uint64_t managers_reaped = 0, sessions_reaped = 0, held_back = 0;
  };
  Stats stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cluster
