// What /readyz and /startupz of a business server say, kept true by looking every second.
#pragma once

#include <cstdint>
#include <string>

#include "business/store/account_store.h"
#include "lib/runtime/admin_server.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"

namespace business {

// Lives on loop 0. Reasons `redis` (not whole for more than kPatienceMs: a blink is none) and `store`
// (the same for reads). All given must outlive the loops.
class ReadinessWatch final : private runtime::Timer {
 public:
  static constexpr uint64_t kPatienceMs = 5000;

  ReadinessWatch(runtime::EventLoop* loop, runtime::RedisClient* redis, AccountStore* accounts,
                 runtime::Health* health);
  void Start();

 private:
  void Look();
  runtime::Task<void> ReadStore();
  void Judge(const char* reason, const char* detail, uint64_t seen_ms);

  runtime::EventLoop* const loop_;
  runtime::RedisClient* const redis_;
  AccountStore* const accounts_;
  runtime::Health* const health_;
  uint64_t redis_seen_ms_ = 0;
  uint64_t store_seen_ms_ = 0;
  bool reading_ = false;
};

}  // namespace business
