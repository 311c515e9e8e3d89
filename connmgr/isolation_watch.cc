#include "connmgr/isolation_watch.h"

#include <algorithm>
#include <utility>

#include "lib/cluster/business_lease.h"
#include "lib/runtime/log.h"

namespace connmgr {
namespace {

constexpr std::chrono::milliseconds kLook{1000};

}  // namespace

IsolationWatch::IsolationWatch(std::vector<ConnmgrLoop*> loops, const Settings& settings,
                               runtime::RedisClient& redis, const Drain& drain)
    : runtime::Timer([](runtime::Timer* timer) { static_cast<IsolationWatch*>(timer)->Look(); }),
      loops_(std::move(loops)),
      settings_(settings),
      redis_(redis),
      drain_(drain) {}

void IsolationWatch::Start() {
  home().AssertInLoop();
  lost_ms_ = home().NowMs();
  home().Arm(this, kLook);
}

bool IsolationWatch::LinksUp() const {
  return std::any_of(loops_.begin(), loops_.end(), [](ConnmgrLoop* loop) {
    return loop->counters().up_links.value() != 0;
  });
}

void IsolationWatch::Look() {
  home().Arm(this, std::min(kLook, settings_.business_grace));
  const uint64_t now = home().NowMs();
  if (LinksUp()) {
    lost_ms_ = now;
    if (!std::exchange(isolated_, false)) return;
    runtime::LogInfo("isolation_over", "A business server is reached again.");
    // A drain that began meanwhile goes on ending them.
    if (drain_.state() != Drain::State::kServing) return;
    for (ConnmgrLoop* loop : loops_) loop->loop().Post([loop] { loop->StopEndingStreams(); });
    return;
  }
  const bool patient = now - lost_ms_ < static_cast<uint64_t>(settings_.business_grace.count());
  if (patient || asking_ || drain_.state() != Drain::State::kServing) return;
  asking_ = true;
  cluster::BusinessLease::CountAlive(
      &redis_, [this, here = std::weak_ptr<bool>(here_)](const runtime::Result<size_t>& alive) {
        if (here.expired()) return;
        asking_ = false;
        ++answers_;
        OnAlive(alive.has_value() && *alive > 0);
      });
}

void IsolationWatch::OnAlive(bool some_live) {
  if (!some_live || LinksUp() || drain_.state() != Drain::State::kServing) return;
  if (!std::exchange(isolated_, true)) {
    runtime::LogWarn("isolated",
                     "Business servers live, but none is reached from here: clients are closed.");
  }
  // Again each time: for those that came since. What they wait for will not come, so no patience.
  const auto share = settings_.drain_pace / static_cast<uint32_t>(loops_.size());
  for (ConnmgrLoop* loop : loops_) {
    loop->loop().Post([loop, share] {
      if (!loop->ending()) loop->EndStreams(share, std::chrono::milliseconds(0));
    });
  }
}

}  // namespace connmgr
