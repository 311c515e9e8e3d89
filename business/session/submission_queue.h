// What a session submitted and what is not accepted yet, in the session's order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "business/session/submission.h"

namespace business {

// Lives in its session. Reads run ahead; effects are issued in in_seq order; answers to the sender
// wait for all predecessors; "accepted" covers the contiguous prefix of what is finished.
class SubmissionQueue {
 public:
  enum class Place { kNext, kRepeated, kGap };
  Place PlaceOf(uint64_t in_seq) const {
    if (in_seq == next_) return Place::kNext;
    return in_seq < next_ ? Place::kRepeated : Place::kGap;
  }
  // `submission` carries the number next().
  void Push(SubmissionPtr submission);

  // Takes every step that may be taken now. True: accepted() advanced.
  bool Pump();
  void CheckPassed(uint64_t number) {
    check_passed_ = number > check_passed_ ? number : check_passed_;
  }

  // A session that was announced: everything up to `accepted` is behind it. Drops what is queued.
  void StartBehind(uint64_t accepted);
  // What was submitted up to `in_seq` is committed, as somebody else knows: it is not handled again.
  // Nothing may be under way.
  void SkipTo(uint64_t in_seq);
  void Clear() { items_.clear(); }

  uint64_t next() const { return next_; }
  uint64_t accepted() const { return accepted_; }
  // Does a step wait for what becomes of an earlier one's effects? As of the last Pump.
  bool waits_for_outcome() const { return waits_for_outcome_; }
  // Effects of something went out, and what becomes of them is not known.
  bool has_issued() const;
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }

 private:
  void PrepareReady();
  void IssueReady();
  bool MayIssue(size_t index, bool* wait) const;
  // Commits begin in in_seq order: so they stand in the archive.
  void StoreReady();
  bool DropFinished();

  std::vector<SubmissionPtr> items_;
  uint64_t next_ = 1;
  uint64_t accepted_ = 0;
  uint64_t check_passed_ = 0;
  bool waits_for_outcome_ = false;
  bool pumping_ = false;
  bool again_ = false;
};

}  // namespace business
