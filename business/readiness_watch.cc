#include "business/readiness_watch.h"

#include <utility>

namespace business {
namespace {

constexpr std::chrono::milliseconds kLook{1000};

}  // namespace

ReadinessWatch::ReadinessWatch(runtime::EventLoop* loop, runtime::RedisClient* redis,
                               AccountStore* accounts, runtime::Health* health)
    : runtime::Timer([](runtime::Timer* timer) { static_cast<ReadinessWatch*>(timer)->Look(); }),
      loop_(loop),
      redis_(redis),
      accounts_(accounts),
      health_(health) {}

void ReadinessWatch::Start() {
  loop_->AssertInLoop();
  redis_seen_ms_ = store_seen_ms_ = loop_->NowMs();
  Look();
}

void ReadinessWatch::Look() {
  loop_->Arm(this, kLook);
  if (redis_->whole_since_ms() != 0) redis_seen_ms_ = loop_->NowMs();
  Judge("redis", "Redis does not answer", redis_seen_ms_);
  Judge("store", "the store does not answer", store_seen_ms_);
  if (!std::exchange(reading_, true)) runtime::Spawn(ReadStore());
}

runtime::Task<void> ReadinessWatch::ReadStore() {
  // Nobody's account: `invalid` is no domain that can be served (RFC 6761 §6.4).
  const auto found = co_await accounts_->Find(xmpp::BareJid::FromNormalized("readiness@invalid"));
  reading_ = false;
  if (found) store_seen_ms_ = loop_->NowMs();
}

void ReadinessWatch::Judge(const char* reason, const char* detail, uint64_t seen_ms) {
  if (loop_->NowMs() - seen_ms > kPatienceMs) {
    health_->SetNotReady(reason, detail);
  } else {
    health_->ClearNotReady(reason);
  }
}

}  // namespace business
