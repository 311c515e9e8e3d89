// Leases of business servers: how a manager that reaches none can tell whether any lives (R8).
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "lib/runtime/redis_client.h"

namespace cluster {

// A business server's own lease: its name in x:businesses and SET … PX, every third of its time.
// Lives on its loop. Serves liveness only: losing it changes nothing while managers reach it.
class BusinessLease {
 public:
  // `business`: the instance's name ("business-1"). `redis` must outlive it.
  BusinessLease(runtime::EventLoop* loop, runtime::RedisClient* redis, std::string business,
                uint64_t incarnation,
                std::chrono::milliseconds time = std::chrono::milliseconds(10000));
  ~BusinessLease();
  void Start();
  // Drops the lease at once: this server takes no links any more. `done` comes, whatever Redis
  // says, unless the client is destroyed first.
  void Release(absl::AnyInvocable<void()> done);

  // How many business servers hold a lease; an error if Redis did not say, or not of all of them.
  // Names without a lease are forgotten on the way: a live server writes its own anew.
  static void CountAlive(runtime::RedisClient* redis,
                         absl::AnyInvocable<void(runtime::Result<size_t>)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cluster
