#include "business/session/generation_watch.h"

#include <algorithm>
#include <utility>

namespace business {

void GenerationWatch::Set(uint64_t generation) {
  if (generation <= current_) return;
  // The first number is not news: the sessions of a Redis that lived on stand in it.
  if (current_ != 0) unsettled_until_ = loop_->NowMs() + kSettlesInMs;
  current_ = generation;
  for (Waiter& waiter : std::exchange(waiters_, {})) waiter->Set(generation);
}

void GenerationWatch::SawOlderAnnouncement() {
  unsettled_until_ = std::max(unsettled_until_, loop_->NowMs() + kSettlesInMs);
}

runtime::Task<uint64_t> GenerationWatch::Known() {
  if (current_ != 0) co_return current_;
  auto waiter = std::make_shared<runtime::OneShot<uint64_t>>();
  waiters_.push_back(waiter);
  runtime::OneShot<uint64_t>& known = *waiter;
  const uint64_t generation = co_await known;
  co_return generation;
}

runtime::Task<uint64_t> GenerationWatch::KnownWithin(std::chrono::milliseconds at_most) {
  if (current_ != 0) co_return current_;
  auto waiter = std::make_shared<runtime::OneShot<uint64_t>>();
  waiters_.push_back(waiter);
  loop_->RunAfter(at_most, [this, waiter] {
    if (waiter->is_set()) return;
    std::erase(waiters_, waiter);
    waiter->Set(0);
  });
  runtime::OneShot<uint64_t>& known = *waiter;
  const uint64_t generation = co_await known;
  co_return generation;
}

}  // namespace business
