#include "lib/cluster/lease.h"

#include <algorithm>
#include <utility>

#include "lib/cluster/redis_keys.h"
#include "lib/runtime/log.h"

namespace cluster {

using runtime::RedisClient;

struct ManagerLease::Impl : std::enable_shared_from_this<Impl> {
  Impl(runtime::EventLoop* l, RedisClient* r, std::string key_, std::chrono::milliseconds t)
      : loop(l), redis(r), key(std::move(key_)), time(t), timer(this) {}

  void Renew() {
    redis->Command(key, {"SET", key, "1", "PX", std::to_string(time.count())},
                   [weak = weak_from_this()](RedisClient::Reply reply) {
                     std::shared_ptr<Impl> self = weak.lock();
                     if (self) self->OnRenewed(reply.has_value() && !reply->IsError());
                   });
  }

  void OnRenewed(bool renewed) {
    if (released) return;
    if (renewed != std::exchange(held, renewed)) {
      runtime::Log(renewed ? runtime::LogLevel::kInfo : runtime::LogLevel::kWarn, "manager_lease",
                   renewed ? "lease held" : "lease not renewed; clients stay");
    }
    // Three chances within its time; after a failure, more.
    loop->Arm(&timer, std::max(time / (renewed ? 3 : 10), std::chrono::milliseconds(1)));
  }

  struct RenewTimer : runtime::Timer {
    explicit RenewTimer(Impl* i)
        : Timer([](Timer* t) { static_cast<RenewTimer*>(t)->impl->Renew(); }), impl(i) {}
    Impl* impl;
  };

  runtime::EventLoop* const loop;
  RedisClient* const redis;
  const std::string key;
  const std::chrono::milliseconds time;
  bool held = false;
  bool released = false;
  RenewTimer timer;
};

ManagerLease::ManagerLease(runtime::EventLoop* loop, RedisClient* redis, std::string manager,
                           uint64_t incarnation, std::chrono::milliseconds time)
    : impl_(std::make_shared<Impl>(loop, redis, ManagerLeaseKey(manager, incarnation), time)) {}

ManagerLease::~ManagerLease() {
  impl_->released = true;
  impl_->timer.Cancel();
}

void ManagerLease::Start() {
  impl_->loop->AssertInLoop();
  impl_->Renew();
}

void ManagerLease::Release(absl::AnyInvocable<void()> done) {
  impl_->loop->AssertInLoop();
  impl_->released = true;
  impl_->timer.Cancel();
  // Behind a SET that is still under way: one connection keeps the order.
  impl_->redis->Command(impl_->key, {"DEL", impl_->key},
                        [done = std::move(done)](RedisClient::Reply) mutable { done(); });
}

}  // namespace cluster
