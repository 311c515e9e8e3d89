#include "lib/runtime/timer_wheel.h"

#include <algorithm>

namespace runtime {

void Timer::Cancel() {
  if (wheel_ == nullptr) return;
  --wheel_->count_;
  TimerWheel::Unlink(this);
}

TimerWheel::TimerWheel(uint64_t now_ms) : now_(now_ms >> kTickShift) {
  for (auto& level : slots_) {
    for (Slot& slot : level) slot.next = slot.previous = &slot;
  }
}

void TimerWheel::Unlink(Timer* timer) {
  timer->previous->next = timer->next;
  timer->next->previous = timer->previous;
  timer->next = timer->previous = nullptr;
  timer->wheel_ = nullptr;
}

void TimerWheel::TakeAll(Slot* from, Slot* to) {
  to->next = to->previous = to;
  if (Empty(*from)) return;
  *to = *from;
  to->next->previous = to->previous->next = to;
  from->next = from->previous = from;
}

void TimerWheel::Insert(Timer* timer) {
  uint64_t delta = timer->due_ - now_;
  int level = 0;
  while (level < kLevels - 1 && delta >= (uint64_t{1} << (kSlotBits * (level + 1)))) ++level;
  // Beyond the top level's reach (about 99 days): parked in its farthest slot and cascaded again.
  uint64_t reach = uint64_t{1} << (kSlotBits * kLevels);
  uint64_t place = delta >= reach ? now_ + reach - 1 : timer->due_;
  Slot& slot = SlotOf(level, place);
  timer->next = &slot;
  timer->previous = slot.previous;
  timer->wheel_ = this;
  slot.previous->next = timer;
  slot.previous = timer;
}

void TimerWheel::Arm(Timer* timer, uint64_t now_ms, std::chrono::milliseconds delay) {
  timer->Cancel();
  uint64_t at = now_ms + static_cast<uint64_t>(std::max<int64_t>(delay.count(), 0));
  // Rounded up: never early. At least one tick ahead, so that Advance meets it.
  timer->due_ = std::max((at + (1 << kTickShift) - 1) >> kTickShift, now_ + 1);
  Insert(timer);
  ++count_;
}

void TimerWheel::Advance(uint64_t now_ms) {
  uint64_t target = now_ms >> kTickShift;
  if (count_ == 0) {
    now_ = std::max(now_, target);
    return;
  }
  while (now_ < target) {
    ++now_;
    for (int level = 1; level < kLevels; ++level) {
      if ((now_ & ((uint64_t{1} << (kSlotBits * level)) - 1)) != 0) break;
      Slot due;
      TakeAll(&SlotOf(level, now_), &due);
      while (!Empty(due)) {
        auto* timer = static_cast<Timer*>(due.next);
        Unlink(timer);
        Insert(timer);
      }
    }
    Slot& slot = SlotOf(0, now_);
    while (!Empty(slot)) {
      auto* timer = static_cast<Timer*>(slot.next);
      Unlink(timer);
      --count_;
      timer->fire_(timer);
    }
    if (count_ == 0) {
      now_ = target;
      return;
    }
  }
}

int64_t TimerWheel::UntilNext(uint64_t now_ms) const {
  if (count_ == 0) return -1;
  uint64_t next = UINT64_MAX;  // tick: of the first occupied slot over all levels
  for (int level = 0; level < kLevels; ++level) {
    uint64_t base = now_ >> (kSlotBits * level);
    for (uint64_t i = 1; i <= kSlots; ++i) {
      if (Empty(slots_[static_cast<size_t>(level)][(base + i) & (kSlots - 1)])) continue;
      next = std::min(next, (base + i) << (kSlotBits * level));
      break;
    }
  }
  uint64_t at = next << kTickShift;
  return at <= now_ms ? 0 : static_cast<int64_t>(at - now_ms);
}

}  // namespace runtime
