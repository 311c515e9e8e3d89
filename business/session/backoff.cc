#include "business/session/backoff.h"

#include <algorithm>
#include <random>
#include <utility>

namespace business {

runtime::Task<void> Backoff::Pause() {
  static thread_local std::minstd_rand random{std::random_device{}()};
  const std::chrono::milliseconds longest = std::exchange(next_, std::min(next_ * 2, kLongest));
  std::uniform_int_distribution<int64_t> shortened(longest.count() / 2, longest.count());
  runtime::OneShot<bool> over;
  loop_->RunAfter(std::chrono::milliseconds(shortened(random)), [&over] { over.Set(true); });
  co_await over;
}

}  // namespace business
