#include "lib/cluster/business_lease.h"

#include <optional>
#include <utility>
#include <vector>

#include "lib/cluster/redis_keys.h"
#include "lib/cluster/session_record.h"
#include "lib/runtime/log.h"

namespace cluster {
namespace {

using Reply = runtime::RedisClient::Reply;

void Ignore(Reply) {}

bool Answered(const Reply& reply) { return reply.has_value() && !reply->IsError(); }

// One question to Redis, a key after another: the keys may be on different nodes.
struct Count {
  runtime::RedisClient* redis;
  absl::AnyInvocable<void(runtime::Result<size_t>)> done;
  size_t waiting = 0;
  size_t alive = 0;
  std::optional<runtime::Error> error;

  void OnLease(const std::string& business, const Reply& reply) {
    if (!reply) {
      error = reply.error();
    } else if (reply->IsError()) {
      error = runtime::Error::Failed(reply->text);
    } else if (reply->integer != 0) {
      ++alive;
    } else {
      redis->Command(BusinessesKey(), {"SREM", BusinessesKey(), business}, Ignore);
    }
    if (--waiting == 0) Finish();
  }

  void Finish() {
    // One that lives is an answer, whatever the others may be.
    if (error && alive == 0) return done(std::move(*error));
    done(alive);
  }
};

void AskEach(const std::shared_ptr<Count>& count, const Reply& names) {
  if (!names) return count->done(names.error());
  if (names->IsError()) return count->done(runtime::Error::Failed(names->text));
  count->waiting = names->array.size();
  if (count->waiting == 0) return count->Finish();
  for (const runtime::RedisReply& name : names->array) {
    const std::string key = BusinessLeaseKey(name.text);
    count->redis->Command(key, {"EXISTS", key}, [count, business = name.text](Reply reply) {
      count->OnLease(business, reply);
    });
  }
}

}  // namespace

struct BusinessLease::Impl : runtime::Timer {
  Impl(runtime::EventLoop* l, runtime::RedisClient* r, std::string b, uint64_t i,
       std::chrono::milliseconds t)
      : runtime::Timer(&Fire), loop(l), redis(r), business(std::move(b)), incarnation(i), time(t) {}

  static void Fire(runtime::Timer* timer) { static_cast<Impl*>(timer)->Renew(); }

  void Renew() {
    const std::string key = BusinessLeaseKey(business);
    redis->Command(BusinessesKey(), {"SADD", BusinessesKey(), business}, Ignore);
    redis->Command(key, {"SET", key, HexText(incarnation), "PX", std::to_string(time.count())},
                   [this_business = business](const Reply& reply) {
                     if (Answered(reply)) return;
                     runtime::LogDebug("lease_not_renewed", "Redis did not take the lease.",
                                       {{"business", this_business}});
                   });
    loop->Arm(this, time / 3);
  }

  runtime::EventLoop* const loop;
  runtime::RedisClient* const redis;
  const std::string business;
  const uint64_t incarnation;
  const std::chrono::milliseconds time;
};

BusinessLease::BusinessLease(runtime::EventLoop* loop, runtime::RedisClient* redis,
                             std::string business, uint64_t incarnation,
                             std::chrono::milliseconds time)
    : impl_(std::make_unique<Impl>(loop, redis, std::move(business), incarnation, time)) {}

BusinessLease::~BusinessLease() = default;

void BusinessLease::Start() {
  impl_->loop->AssertInLoop();
  impl_->Renew();
  // Forgets those that died under names that do not come back.
  CountAlive(impl_->redis, [](const runtime::Result<size_t>&) {});
}

void BusinessLease::Release(absl::AnyInvocable<void()> done) {
  impl_->loop->AssertInLoop();
  impl_->Cancel();
  const std::string key = BusinessLeaseKey(impl_->business);
  impl_->redis->Command(BusinessesKey(), {"SREM", BusinessesKey(), impl_->business}, Ignore);
  impl_->redis->Command(key, {"DEL", key},
                        [done = std::move(done)](const Reply&) mutable { done(); });
}

void BusinessLease::CountAlive(runtime::RedisClient* redis,
                               absl::AnyInvocable<void(runtime::Result<size_t>)> done) {
  auto count = std::make_shared<Count>();
  count->redis = redis;
  count->done = std::move(done);
  redis->Command(BusinessesKey(), {"SMEMBERS", BusinessesKey()},
                 [count](const Reply& names) { AskEach(count, names); });
}

}  // namespace cluster
