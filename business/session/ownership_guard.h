// Fences sessions without stream management: a registry read that stands before their effects (R3).
#pragma once

#include <cstdint>

#include "business/session/session.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace business {

// One per loop, lives on it. One pipelined read per session and turn covers all stanzas the session
// submitted in that turn.
class OwnershipGuard {
 public:
  explicit OwnershipGuard(Shard* shard);

  // Number of the check that covers what is submitted in this turn; SubmissionQueue waits for it.
  // While the session is being announced nothing is read: CheckNow does it afterwards.
  uint64_t Require(const SessionPtr& session);
  // It was announced: reads for all that it submitted meanwhile.
  void CheckNow(const SessionPtr& session);

  // Another owner stands in the record: the manager closes the socket with `conflict`.
  void Fence(const SessionPtr& session);

 private:
  struct TurnCount final : runtime::TurnEnd {
    TurnCount() : TurnEnd([](TurnEnd* end) { ++static_cast<TurnCount*>(end)->turn; }) {}
    uint64_t turn = 1;
  };

  void Check(const SessionPtr& session, uint64_t number);
  void OnChecked(const SessionPtr& session, uint64_t number,
                 runtime::Result<cluster::SessionRegistry::OwnerCheck> check);
  void CheckAgain(const SessionPtr& session);
  // The row is absent or names another owner: which of them, and what follows.
  runtime::Task<void> Investigate(SessionPtr session);

  Shard* const shard_;
  TurnCount turn_;
};

}  // namespace business
