// One thread, one epoll: what a connection, an account or a link lives on.
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lib/runtime/timer_wheel.h"

namespace runtime {

using Callback = absl::AnyInvocable<void()>;

// Told of readiness of one file descriptor. `events` are EPOLL* bits; level-triggered.
class FdHandler {
 public:
  virtual ~FdHandler() = default;
  virtual void OnFdEvents(uint32_t events) = 0;
};

// A link in the loop's list of what wants to run once at the end of the turn: how dirty
// connections are flushed and batches sent. Intrusive; destroying it takes it off the list.
class TurnEnd {
 public:
  using Run = void (*)(TurnEnd*);
  explicit TurnEnd(Run run) : run_(run) {}
  ~TurnEnd() { Cancel(); }
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;
  bool scheduled() const { return pprev_ != nullptr; }
  void Cancel();

 private:
  friend class EventLoop;
  TurnEnd* next_ = nullptr;
  TurnEnd** pprev_ = nullptr;
  Run run_;
};

// Everything but Post, Stop and the counters belongs to the loop's own thread (AssertInLoop).
//
// A turn: wait for readiness → handlers → timers → posted work → turn ends (until none is left).
class EventLoop {
 public:
  explicit EventLoop(int index = 0);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs turns in the calling thread until Stop.
  void Run();
  void Stop();  // any thread

  // Runs `work` on this loop, later, in posting order. Any thread.
  void Post(Callback work);
  // Runs `work` at the end of the present turn. Own thread only; cheaper than Post.
  void Defer(Callback work);
  void ScheduleTurnEnd(TurnEnd* end);  // no-op if scheduled already

  void AddFd(int fd, uint32_t events, FdHandler* handler);
  void ModifyFd(int fd, uint32_t events, FdHandler* handler);
  // After this `handler` is not called any more, also not in the turn under way.
  void RemoveFd(int fd, FdHandler* handler);

  void Arm(Timer* timer, std::chrono::milliseconds delay) { timers_.Arm(timer, NowMs(), delay); }
  // Fire-and-forget; cannot be cancelled.
  void RunAfter(std::chrono::milliseconds delay, Callback work);

  bool InLoop() const { return std::this_thread::get_id() == thread_.load(std::memory_order_relaxed); }
  void AssertInLoop() const;

  int index() const { return index_; }
  // Monotonic milliseconds, read once a turn.
  uint64_t NowMs() const { return now_ms_; }
  static uint64_t MonotonicMs();

  struct Stats {  // read by metrics from any thread
    std::atomic<uint64_t> turns{0};
    std::atomic<uint64_t> busy_us{0};      // time in turns
    std::atomic<uint64_t> max_turn_us{0};  // the longest turn since it was last read (exchange 0)
    std::atomic<uint64_t> posts{0};
    std::atomic<uint64_t> last_turn_ms{0};  // MonotonicMs at the end of the newest turn
  };
  Stats& stats() { return stats_; }

 private:
  struct OneShotTimer;

  void RunTurn(int timeout_ms);
  void RunPosted();
  void RunTurnEnds();
  void Wake();

  const int index_;
  int epoll_fd_;
  int wake_fd_;
  std::atomic<bool> stop_{false};
  std::atomic<std::thread::id> thread_{};
  uint64_t now_ms_;
  TimerWheel timers_;
  std::list<std::unique_ptr<OneShotTimer>> one_shots_;  // RunAfter

  std::mutex posted_mutex_;  // held for a push or a swap only
  std::vector<Callback> posted_;
  bool wake_pending_ = false;
  std::vector<Callback> running_;
  std::vector<Callback> deferred_;
  TurnEnd* turn_ends_ = nullptr;
  std::vector<FdHandler*> removed_;  // in this turn: their events are skipped
  Stats stats_;
};

// N loops, each on a thread of its own named "<name>-<index>".
class LoopGroup {
 public:
  LoopGroup(const char* name, int count);
  ~LoopGroup();  // stops and joins
  int size() const { return static_cast<int>(loops_.size()); }
  EventLoop& at(int i) { return *loops_[static_cast<size_t>(i)]; }
  // Runs `work` on loop `i` and waits for its end. Not from a loop of this group.
  void RunOn(int i, Callback work);
  void StopAndJoin();

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace runtime
