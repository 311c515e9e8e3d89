// A rate: so many tokens a second, two seconds' worth at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace connmgr {

// Rate 0 means no limit. May go into debt: what was read is read, the pause pays for it. Not
// thread-safe.
class TokenBucket {
 public:
  TokenBucket(uint32_t per_second, uint64_t now_ms)
      : rate_(per_second), tokens_(2000.0 * per_second), last_ms_(now_ms) {}

  void Take(uint64_t n, uint64_t now_ms) {
    if (rate_ == 0) return;
    Refill(now_ms);
    tokens_ -= 1000.0 * static_cast<double>(n);
  }
  bool TryTake(uint64_t now_ms) {
    if (rate_ == 0) return true;
    Refill(now_ms);
    if (tokens_ < 1000) return false;
    tokens_ -= 1000;
    return true;
  }
  // How long until the debt is paid; 0 = there is none.
  std::chrono::milliseconds Debt() const {
    if (rate_ == 0 || tokens_ >= 0) return std::chrono::milliseconds(0);
    return std::chrono::milliseconds(1 + static_cast<int64_t>(-tokens_ / rate_));
  }
  bool Full(uint64_t now_ms) {
    Refill(now_ms);
    return tokens_ >= 2000.0 * rate_;
  }

 private:
  void Refill(uint64_t now_ms) {
    if (now_ms <= last_ms_) return;  // the clock of another loop, a little behind
    tokens_ = std::min(2000.0 * rate_, tokens_ + static_cast<double>(now_ms - last_ms_) * rate_);
    last_ms_ = now_ms;
  }

  uint32_t rate_;
  double tokens_;  // thousandths
  uint64_t last_ms_;
};

}  // namespace connmgr
