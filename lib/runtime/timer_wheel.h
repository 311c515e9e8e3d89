// Timers of one event loop: a hierarchical wheel, so that arming and cancelling cost the same with
// one timer and with a million.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace runtime {

class TimerWheel;

namespace internal {

// Of a ring: a slot of the wheel, or a timer in it.
struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};

}  // namespace internal

// An intrusive timer: a member of what it times (40 bytes), or a base of it. Lives on the loop of
// the wheel it was armed in; destroying an armed timer cancels it.
class Timer : private internal::TimerLink {
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
  TimerWheel* wheel_ = nullptr;
  Callback fire_;
  uint64_t due_ = 0;  // tick
};

// Not thread-safe. Resolution 8 ms; a timer never fires early. Timers that were armed at one time
// for one time fire in the order in which they were armed: what is tried again does not overtake.
class TimerWheel {
 public:
  static constexpr int kTickShift = 3;  // 8 ms

  explicit TimerWheel(uint64_t now_ms);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

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

  using Slot = internal::TimerLink;  // the ring's beginning and end

  void Insert(Timer* timer);
  static void Unlink(Timer* timer);
  static void TakeAll(Slot* from, Slot* to);
  Slot& SlotOf(int level, uint64_t tick) {
    return slots_[static_cast<size_t>(level)][(tick >> (kSlotBits * level)) & (kSlots - 1)];
  }
  static bool Empty(const Slot& slot) { return slot.next == &slot; }

  std::array<std::array<Slot, kSlots>, kLevels> slots_;
  uint64_t now_;
  size_t count_ = 0;
};

}  // namespace runtime
