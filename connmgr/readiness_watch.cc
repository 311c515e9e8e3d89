#include "connmgr/readiness_watch.h"

#include <algorithm>
#include <utility>

namespace connmgr {
namespace {

constexpr std::chrono::milliseconds kLook{100};
constexpr uint64_t kNoBusinessMs = 3000;
constexpr uint64_t kFilesMs = 5000;

}  // namespace

ReadinessWatch::ReadinessWatch(std::vector<ConnmgrLoop*> loops, Admission& admission,
                               Certificates& certificates, runtime::RedisClient& redis,
                               runtime::Health& health)
    : runtime::Timer([](runtime::Timer* timer) { static_cast<ReadinessWatch*>(timer)->Look(); }),
      loops_(std::move(loops)),
      admission_(admission),
      certificates_(certificates),
      redis_(redis),
      health_(health) {}

void ReadinessWatch::Start() {
  home().AssertInLoop();
  business_seen_ms_ = files_seen_ms_ = home().NowMs();
  Look();
}

void ReadinessWatch::Look() {
  home().Arm(this, kLook);
  const uint64_t now = home().NowMs();
  if (redis_.state() == runtime::RedisClient::State::kUp) health_.StepDone("redis");
  LookAtBusiness(now);
  Say("at_limit", "as many connections as are allowed", admission_.AtLimit());
  if (now - files_seen_ms_ >= kFilesMs) {
    files_seen_ms_ = now;
    certificates_.ReloadIfChanged();
  }
}

void ReadinessWatch::LookAtBusiness(uint64_t now) {
  const bool live = std::any_of(loops_.begin(), loops_.end(), [](ConnmgrLoop* loop) {
    return loop->counters().live_links.value() != 0;
  });
  if (live) {
    business_seen_ms_ = now;
    health_.StepDone("business");
  }
  Say("no_business", "no business server is reached", now - business_seen_ms_ > kNoBusinessMs);
}

void ReadinessWatch::Say(const char* reason, const char* detail, bool stands) {
  if (stands) {
    health_.SetNotReady(reason, detail);
  } else {
    health_.ClearNotReady(reason);
  }
}

}  // namespace connmgr
