// Timers of one event loop: a hierarchical wheel, so that arming and cancelling cost the same with
// one timer and with a million.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace runtime {

class TimerWheel;

// An intrusive timer: a member of what it times (40 bytes), or a base of it. Lives on the loop of
// the wheel it was armed in; destroying an armed timer cancels it.
class Timer {
 public:
  using Callback = void (*)(Timer*);

  explicit Timer(Callback fire) : fire_(fire) {}
  ~Timer() { Cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const { return wheel_ != nullptr; }
  void Cancel();

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer** pprev_ = nullptr;
  TimerWheel* wheel_ = nullptr;
  Callback fire_;
  uint64_t due_ = 0;  // tick
};

// Not thread-safe. Resolution 8 ms; a timer never fires early.
class TimerWheel {
 public:
  static constexpr int kTickShift = 3;  // 8 ms

  explicit TimerWheel(uint64_t now_ms) : now_(now_ms >> kTickShift) {}

  // (Re-)arms `timer` to fire `delay` after `now_ms`.
  void Arm(Timer* timer, uint64_t now_ms, std::chrono::milliseconds delay);
  // Fires all that is due. A callback may arm, cancel or destroy any timer.
  void Advance(uint64_t now_ms);
  // Milliseconds until Advance has something to do; -1 = nothing armed. Never later than the next
  // due timer (it may be earlier, at a cascade).
  int64_t UntilNext(uint64_t now_ms) const;
  size_t armed() const { return count_; }

 private:
  friend class Timer;
  static constexpr int kLevels = 5;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;

  void Insert(Timer* timer);
  static void Unlink(Timer* timer);

  std::array<std::array<Timer*, kSlots>, kLevels> slots_{};
  uint64_t now_;
  size_t count_ = 0;
};

}  // namespace runtime
