#include "lib/runtime/timer_wheel.h"

#include <algorithm>

namespace runtime {

void Timer::Cancel() {
  if (wheel_ == nullptr) return;
  --wheel_->count_;
  TimerWheel::Unlink(this);
}

void TimerWheel::Unlink(Timer* timer) {
  *timer->pprev_ = timer->next_;
  if (timer->next_ != nullptr) timer->next_->pprev_ = timer->pprev_;
  timer->next_ = nullptr;
  timer->pprev_ = nullptr;
  timer->wheel_ = nullptr;
}

void TimerWheel::Insert(Timer* timer) {
  uint64_t delta = timer->due_ - now_;
  int level = 0;
  while (level < kLevels - 1 && delta >= (uint64_t{1} << (kSlotBits * (level + 1)))) ++level;
  // Beyond the top level's reach (about 99 days): parked in its farthest slot and cascaded again.
  uint64_t reach = uint64_t{1} << (kSlotBits * kLevels);
  uint64_t place = delta >= reach ? now_ + reach - 1 : timer->due_;
  Timer*& head = slots_[level][(place >> (kSlotBits * level)) & (kSlots - 1)];
  timer->next_ = head;
  timer->pprev_ = &head;
  timer->wheel_ = this;
  if (head != nullptr) head->pprev_ = &timer->next_;
  head = timer;
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
      Timer*& head = slots_[level][(now_ >> (kSlotBits * level)) & (kSlots - 1)];
      Timer* list = head;
      head = nullptr;
      while (list != nullptr) {
        Timer* timer = list;
        list = timer->next_;
        Insert(timer);
      }
    }
    Timer*& head = slots_[0][now_ & (kSlots - 1)];
    while (head != nullptr) {
      Timer* timer = head;
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
      if (slots_[level][(base + i) & (kSlots - 1)] == nullptr) continue;
      next = std::min(next, (base + i) << (kSlotBits * level));
      break;
    }
  }
  uint64_t at = next << kTickShift;
  return at <= now_ms ? 0 : static_cast<int64_t>(at - now_ms);
}

}  // namespace runtime
