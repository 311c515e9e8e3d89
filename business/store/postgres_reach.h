// Whether the PostgreSQL server is reached, as the threads that connect to it see it.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace business {

// Any thread.
class PostgresReach {
 public:
  void Reached() {
    std::lock_guard lock(mutex_);
    trouble_.reset();
  }
  void Missed(std::string why) {
    std::lock_guard lock(mutex_);
    trouble_ = std::move(why);
  }
  // Why the newest attempt to connect failed; nullopt: it did not.
  std::optional<std::string> trouble() const {
    std::lock_guard lock(mutex_);
    return trouble_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<std::string> trouble_;
};

}  // namespace business
