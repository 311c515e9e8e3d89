// The Redis generation as a loop knows it (R11), and whether announcements may still run.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/task.h"

namespace business {

// Lives on its loop. While a generation is unsettled a missing row proves nothing: its session may
// not have been announced yet.
class GenerationWatch {
 public:
  explicit GenerationWatch(runtime::EventLoop* loop) : loop_(loop) {}

  uint64_t current() const { return current_; }
  bool settled() const { return current_ != 0 && loop_->NowMs() >= unsettled_until_; }

  void Set(uint64_t generation);
  // A manager announced a session of an older generation: more will follow.
  void SawOlderAnnouncement();
  // The generation, once it is known.
  runtime::Task<uint64_t> Known();
  // The same; 0 when it is not known in time.
  runtime::Task<uint64_t> KnownWithin(std::chrono::milliseconds at_most);

 private:
  using Waiter = std::shared_ptr<runtime::OneShot<uint64_t>>;
  static constexpr uint64_t kSettlesInMs = 5000;

  runtime::EventLoop* const loop_;
  uint64_t current_ = 0;
  uint64_t unsettled_until_ = 0;
  std::vector<Waiter> waiters_;
};

}  // namespace business
