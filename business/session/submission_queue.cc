#include "business/session/submission_queue.h"

#include <algorithm>
#include <utility>

#include "lib/runtime/check.h"

namespace business {
namespace {

using State = Submission::State;

bool IsIssued(const Submission& s) { return s.state() >= State::kIssued; }

}  // namespace

void SubmissionQueue::Push(SubmissionPtr submission) {
  CHECK(submission->in_seq() == next_);
  ++next_;
  items_.push_back(std::move(submission));
}

void SubmissionQueue::StartBehind(uint64_t accepted) {
  items_.clear();
  accepted_ = accepted;
  next_ = accepted + 1;
}

void SubmissionQueue::SkipTo(uint64_t in_seq) {
  if (in_seq <= accepted_) return;
  while (!items_.empty() && items_.front()->in_seq() <= in_seq) items_.erase(items_.begin());
  accepted_ = in_seq;
  next_ = std::max(next_, in_seq + 1);
}

bool SubmissionQueue::Pump() {
  if (pumping_) {  // a step finished inside a step
    again_ = true;
    return false;
  }
  pumping_ = true;
  bool advanced = false;
  do {
    again_ = false;
    PrepareReady();
    StoreReady();
    IssueReady();
    advanced = DropFinished() || advanced;
  } while (again_);
  pumping_ = false;
  return advanced;
}

void SubmissionQueue::PrepareReady() {
  bool all_issued = true;
  for (size_t i = 0; i < items_.size(); ++i) {
    Submission& item = *items_[i];
    if (item.state() == State::kWaiting) {
      if (item.barrier() && (!all_issued || check_passed_ < item.check)) return;
      const SubmissionPtr hold = items_[i];  // a step may end the session
      item.state_ = State::kPreparing;
      item.Prepare();
      if (i >= items_.size()) return;
    }
    if (!IsIssued(*items_[i])) {
      all_issued = false;
      if (items_[i]->barrier()) return;
    }
  }
}

void SubmissionQueue::StoreReady() {
  for (size_t i = 0; i < items_.size(); ++i) {
    Submission& item = *items_[i];
    if (item.state() == State::kStoreWanted && check_passed_ >= item.check) {
      const SubmissionPtr hold = items_[i];  // a step may end the session
      item.state_ = State::kStoring;
      item.Store();
      if (i >= items_.size()) return;
    }
    if (items_[i]->state() < State::kStoring) return;
  }
}

bool SubmissionQueue::MayIssue(size_t index, bool* wait) const {
  const Submission& item = *items_[index];
  *wait = true;
  if (check_passed_ < item.check) return false;
  if (item.recipient() == 0) return true;
  for (size_t i = 0; i < index; ++i) {
    const Submission& earlier = *items_[i];
    if (earlier.recipient() != item.recipient() || earlier.state() == State::kFinished) continue;
    if (earlier.state() != State::kIssued || earlier.owners() != item.owners()) return false;
  }
  return true;
}

bool SubmissionQueue::has_issued() const {
  return std::any_of(items_.begin(), items_.end(),
                     [](const SubmissionPtr& item) { return item->state() == State::kIssued; });
}

void SubmissionQueue::IssueReady() {
  bool all_finished = true;
  bool issued = false;  // and not finished
  waits_for_outcome_ = false;
  bool may_issue = true;
  for (size_t i = 0; i < items_.size(); ++i) {
    const SubmissionPtr item = items_[i];
    switch (item->state()) {
      case State::kWaiting:
      case State::kPreparing:
      case State::kStoreWanted:
      case State::kStoring:
        may_issue = false;  // and whoever comes behind waits, too
        break;
      case State::kPrepared: {
        bool wait = false;
        if (may_issue && MayIssue(i, &wait)) {
          item->state_ = State::kIssued;
          item->Issue();
          // It may have held up the preparation of what stands behind it.
          again_ |= !items_.empty() && items_.back()->state() == State::kWaiting;
        } else {
          waits_for_outcome_ |= issued && may_issue && check_passed_ >= item->check;
          may_issue = false;
        }
        break;
      }
      case State::kRetryWanted: {
        bool earlier_open = false;
        for (size_t j = 0; j < i; ++j) {
          earlier_open |=
              items_[j]->recipient() == item->recipient() && items_[j]->state() != State::kFinished;
        }
        if (!earlier_open) {
          item->state_ = State::kIssued;
          item->owners_ = 0;  // nobody overtakes until it is known where it goes now
          item->Retry();
        } else {
          waits_for_outcome_ |= issued;
        }
        break;
      }
      case State::kReplyWanted:
        if (all_finished && check_passed_ >= item->check) {
          item->state_ = State::kIssued;
          item->Reply();
        } else {
          waits_for_outcome_ |= issued && check_passed_ >= item->check;
        }
        break;
      case State::kIssued:
      case State::kFinished:
        break;
    }
    if (i >= items_.size()) return;  // the session ended meanwhile
    all_finished = all_finished && item->state() == State::kFinished;
    issued = issued || item->state() == State::kIssued;
  }
}

bool SubmissionQueue::DropFinished() {
  size_t n = 0;
  while (n < items_.size() && items_[n]->state() == State::kFinished) ++n;
  if (n == 0) return false;
  accepted_ = items_[n - 1]->in_seq();
  items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(n));
  if (items_.empty() && items_.capacity() > 8) items_.shrink_to_fit();
  return true;
}

}  // namespace business
