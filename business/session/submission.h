// One stanza of a session on its way through this server.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace business {

class Session;

// Lives on its session's loop, in its session's queue; callbacks of what it waits for hold it.
// The queue decides when a step may be taken; the submission says when a step is done.
class Submission : public std::enable_shared_from_this<Submission> {
 public:
  enum class State : uint8_t {
    kWaiting,      // nothing was done
    kPreparing,    // reads are under way
    kStoreWanted,  // Store may run once ownership is confirmed and every earlier one has come so far
    kStoring,      // what has to be committed before anybody gets it is being committed
    kPrepared,     // its effects may go out when it is its turn
    kIssued,       // they went out
    kRetryWanted,  // some outcome was "not taken": Retry when no earlier one to this recipient retries
    kReplyWanted,  // an answer to the sender waits until its predecessors are finished (R5)
    kFinished,
  };

  Submission(std::shared_ptr<Session> session, uint64_t in_seq)
      : session_(std::move(session)), in_seq_(in_seq) {}
  virtual ~Submission() = default;

  // Starts what has to be read before the effects are known.
  virtual void Prepare() = 0;
  virtual void Store() {}
  virtual void Issue() {}
  virtual void Retry() {}
  virtual void Reply() {}
  // It changes what later stanzas of the session read: none of them is prepared before it is issued,
  // and it is prepared only once the session's ownership is confirmed.
  virtual bool barrier() const = 0;

  State state() const { return state_; }
  void Become(State state);  // and lets the queue go on
  uint64_t in_seq() const { return in_seq_; }
  Session& session() const { return *session_; }
  // The account it goes to and the owners it was sent to last: a successor to the same account must
  // not overtake it on another way (R5). 0 = goes to no account.
  uint64_t recipient() const { return recipient_; }
  uint64_t owners() const { return owners_; }

  uint64_t check = 0;  // number of the ownership check that has to pass first

 protected:
  friend class SubmissionQueue;

  std::shared_ptr<Session> session_;
  uint64_t in_seq_;
  uint64_t recipient_ = 0;
  uint64_t owners_ = 0;
  State state_ = State::kWaiting;
};

using SubmissionPtr = std::shared_ptr<Submission>;

}  // namespace business
