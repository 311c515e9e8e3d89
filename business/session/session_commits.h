// Sessions with stream management: nothing is accepted before Redis knows of it (R1).
#pragma once

#include <cstdint>

#include "business/session/session.h"

namespace business {

// One per loop, lives on it. Writes what a session has finished, and what its client has confirmed,
// to the session's outbox, in one script; while it is under way the next is collected. Then says
// Accepted.
class SessionCommits {
 public:
  explicit SessionCommits(Shard* shard) : shard_(shard) {}

  void Commit(const SessionPtr& session);
  // The client has confirmed what it was sent, up to `out_seq`.
  void Confirmed(const SessionPtr& session, uint64_t out_seq);

 private:
  void CommitAgain(const SessionPtr& session);

  Shard* const shard_;
};

}  // namespace business
