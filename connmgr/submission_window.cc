#include "connmgr/submission_window.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace connmgr {
namespace {
constexpr size_t kIdleCapacity = 8;  // an idle session keeps no more room than this
}  // namespace

SubmissionWindow::Kept& SubmissionWindow::Push(std::string envelope) {
  bytes_ += envelope.size();
  return kept_.emplace_back(Kept{std::move(envelope), 0});
}

uint32_t SubmissionWindow::AcceptUpTo(uint64_t up_to) {
  if (up_to <= accepted_) return 0;
  const auto n = static_cast<uint32_t>(std::min<uint64_t>(up_to - accepted_, size()));
  for (uint32_t i = 0; i < n; ++i) {
    Kept& kept = kept_[head_ + i];
    bytes_ -= kept.envelope.size();
    std::string().swap(kept.envelope);
  }
  accepted_ += n;
  head_ += n;
  if (head_ == kept_.size()) {
    kept_.clear();
    head_ = 0;
    if (kept_.capacity() > kIdleCapacity) kept_.shrink_to_fit();
  } else if (head_ >= 64) {
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
  return n;
}

}  // namespace connmgr
