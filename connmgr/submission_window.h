// What a session submitted and what is not accepted yet, kept to be submitted again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace connmgr {

// Lives in its LinkSession. Stanzas are numbered by in_seq, contiguous from 1; the first one kept is
// accepted() + 1.
class SubmissionWindow {
 public:
  struct Kept {
    std::string envelope;   // serialised
    uint32_t attempts = 0;  // how often it was sent
  };

  // Takes the next number, next_in_seq() - 1 afterwards.
  Kept& Push(std::string envelope);
  // Drops everything up to `up_to`; how many that were. Numbers that never were given count as the
  // last one given.
  uint32_t AcceptUpTo(uint64_t up_to);

  // A session that goes on here: numbers follow `accepted`. Nothing is kept yet.
  void StartBehind(uint64_t accepted) { accepted_ = accepted; }

  uint64_t accepted() const { return accepted_; }
  uint64_t next_in_seq() const { return accepted_ + 1 + size(); }
  uint32_t size() const { return static_cast<uint32_t>(kept_.size() - head_); }
  bool empty() const { return size() == 0; }
  uint64_t bytes() const { return bytes_; }
  // accepted() < in_seq < next_in_seq()
  Kept& at(uint64_t in_seq) { return kept_[head_ + static_cast<size_t>(in_seq - accepted_ - 1)]; }

 private:
  std::vector<Kept> kept_;
  size_t head_ = 0;  // kept_ before it is accepted already
  uint64_t accepted_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace connmgr
