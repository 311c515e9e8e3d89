// Pauses between attempts while Redis does not answer.
#pragma once

#include <chrono>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/task.h"

namespace business {

// 50 ms, doubled up to 1 s, each shortened by up to a half at random: thousands of sessions that
// wait for one Redis must not come back in step. Lives in the coroutine that pauses.
class Backoff {
 public:
  explicit Backoff(runtime::EventLoop* loop) : loop_(loop) {}
  runtime::Task<void> Pause();

 private:
  static constexpr std::chrono::milliseconds kFirst{50}, kLongest{1000};

  runtime::EventLoop* const loop_;
  std::chrono::milliseconds next_ = kFirst;
};

}  // namespace business
