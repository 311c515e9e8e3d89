// A manager that reaches no business server while others could serve its clients lets them go (R8).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connmgr/connmgr_loop.h"
#include "connmgr/drain.h"
#include "connmgr/settings.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"

namespace connmgr {

// Lives on the first loop. No link up on any loop (a draining server still serves) for `business.grace`, and Redis shows business
// servers with a lease: the clients are closed, `drain.pace` a second, until a link comes back. If
// none lives, or Redis does not answer, they are held: they would find nothing better elsewhere.
class IsolationWatch final : private runtime::Timer {
 public:
  // All must outlive it.
  IsolationWatch(std::vector<ConnmgrLoop*> loops, const Settings& settings,
                 runtime::RedisClient& redis, const Drain& drain);

  void Start();
  bool isolated() const { return isolated_; }
  uint64_t answers() const { return answers_; }  // how often Redis was asked to the end

 private:
  void Look();
  void OnAlive(bool some_live);
  bool LinksUp() const;
  runtime::EventLoop& home() const { return loops_.front()->loop(); }

  const std::vector<ConnmgrLoop*> loops_;
  const Settings& settings_;
  runtime::RedisClient& redis_;
  const Drain& drain_;
  bool isolated_ = false;   // clients are being closed
  bool asking_ = false;     // Redis has the question
  uint64_t answers_ = 0;
  uint64_t lost_ms_ = 0;    // since when no link is up
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);  // answers come later than the end
};

}  // namespace connmgr
