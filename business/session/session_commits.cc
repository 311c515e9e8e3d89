#include "business/session/session_commits.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "business/session/ownership_guard.h"
#include "business/session/session_table.h"
#include "business/session/shard.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

constexpr std::chrono::milliseconds kTryAgainIn{200};

}  // namespace

void SessionCommits::Commit(const SessionPtr& session) {
  Session::StreamManagement& sm = session->sm;
  // While it is announced somebody else may know more: see SessionAnnouncer.
  if (sm.under_way || session->state == Session::State::kAnnouncing) return;
  const uint64_t in_seq = std::max(session->queue.accepted(), sm.committed);
  const uint64_t confirmed = sm.confirmed;
  if (in_seq == sm.committed && confirmed == sm.trimmed) {
    // The manager may have missed it.
    shard_->sessions->TellAccepted(session);
    return;
  }
  sm.under_way = true;
  shard_->outbox->CommitTo(
      session->full(), session->record, in_seq == sm.committed ? 0 : in_seq,
      confirmed == sm.trimmed ? 0 : confirmed,
      [this, session, in_seq, confirmed](runtime::Result<cluster::Outbox::Commit> result) {
        Session::StreamManagement& state = session->sm;
        state.under_way = false;
        if (session->gone()) return;
        if (!result || *result != cluster::Outbox::Commit::kDone) {
          // Not its owner any more, or Redis lost it and the announcement is on its way: the guard
          // finds out which.
          if (result) shard_->guard->Require(session);
          CommitAgain(session);
          return;
        }
        runtime::KillPoint("commit.after");
        const bool advanced = in_seq > state.committed;
        state.committed = std::max(state.committed, in_seq);
        state.trimmed = std::max(state.trimmed, confirmed);
        // One that ends may have waited for this.
        if (advanced || session->state == Session::State::kEnding) {
          shard_->sessions->TellAccepted(session);
        }
        if (session->gone()) return;
        if (session->queue.accepted() > state.committed || state.confirmed > state.trimmed) {
          Commit(session);
        }
      });
}

void SessionCommits::CommitAgain(const SessionPtr& session) {
  shard_->loop->RunAfter(kTryAgainIn, [this, session] {
    if (!session->gone()) shard_->sessions->AcceptedAdvanced(session);
  });
}

void SessionCommits::Confirmed(const SessionPtr& session, uint64_t out_seq) {
  if (!session->managed() || out_seq <= session->sm.confirmed) return;
  session->sm.confirmed = out_seq;
  shard_->sessions->AcceptedAdvanced(session);
}

}  // namespace business
