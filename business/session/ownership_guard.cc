#include "business/session/ownership_guard.h"

#include <chrono>
#include <utility>
#include <vector>

#include "business/session/session_table.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"

namespace business {
namespace {

using OwnerCheck = cluster::SessionRegistry::OwnerCheck;

constexpr std::chrono::milliseconds kCheckAgainIn{200};
// How long a missing row is held to be news of a lost Redis that have not arrived yet. The generation
// is checked every second (cluster::GenerationKeeper), so what is known after this is the truth.
constexpr uint64_t kAbsentProvesMs = 5000;

}  // namespace

OwnershipGuard::OwnershipGuard(Shard* shard) : shard_(shard) {}

uint64_t OwnershipGuard::Require(const SessionPtr& session) {
  if (session->check_turn != turn_.turn) {
    session->check_turn = turn_.turn;
    shard_->loop->ScheduleTurnEnd(&turn_);
    ++session->checks;
    if (session->state != Session::State::kAnnouncing) Check(session, session->checks);
  }
  return session->checks;
}

void OwnershipGuard::CheckNow(const SessionPtr& session) {
  session->absent_since_ms = 0;
  if (!session->gone() && !session->queue.empty()) Check(session, session->checks);
}

void OwnershipGuard::Check(const SessionPtr& session, uint64_t number) {
  shard_->registry->CheckOwner(session->full(), session->record.owner,
                               [this, session, number](runtime::Result<OwnerCheck> check) {
                                 OnChecked(session, number, std::move(check));
                               });
}

void OwnershipGuard::OnChecked(const SessionPtr& session, uint64_t number,
                               runtime::Result<OwnerCheck> check) {
  if (session->gone()) return;
  if (!check) {
    CheckAgain(session);
  } else if (check->owns) {
    session->absent_since_ms = 0;
    session->copies_wanted = check->others_want_copies;
    session->queue.CheckPassed(number);
    session->Pump();
  } else if (session->state != Session::State::kAnnouncing) {
    // Else its row may only be on the way, and the announcement says whose the session is.
    runtime::Spawn(Investigate(session));
  }
}

void OwnershipGuard::CheckAgain(const SessionPtr& session) {
  if (session->recheck_armed) return;
  session->recheck_armed = true;
  shard_->loop->RunAfter(kCheckAgainIn, [this, session] {
    session->recheck_armed = false;
    if (!session->gone()) Check(session, session->checks);
  });
}

runtime::Task<void> OwnershipGuard::Investigate(SessionPtr session) {
  const auto rows = co_await shard_->registry->Lookup(session->account());
  if (session->gone() || session->state == Session::State::kAnnouncing) co_return;
  if (!rows) {
    CheckAgain(session);
    co_return;
  }
  const uint64_t now = shard_->loop->NowMs();
  for (const cluster::SessionRecord& row : *rows) {
    if (row.resource != session->record.resource) continue;
    if (row.owner == session->record.owner) {  // announced meanwhile
      CheckAgain(session);
      co_return;
    }
    if (row.owner.epoch > session->epoch()) {
      Fence(session);
      co_return;
    }
  }
  // No row, or one older than ours: Redis lost or forgot it (a new generation is on its way, and with
  // it the announcement that puts the row back), or the session was ended. Time tells.
  if (session->absent_since_ms == 0) session->absent_since_ms = now;
  const bool announced_soon = !shard_->generation->settled();
  if (!announced_soon && now - session->absent_since_ms >= kAbsentProvesMs) {
    Fence(session);
    co_return;
  }
  CheckAgain(session);
}

void OwnershipGuard::Fence(const SessionPtr& session) {
  if (session->gone()) return;
  shard_->metrics->fenced.Add();
  runtime::LogInfo("session_fenced", "another owner stands in the record",
                   {{"jid", session->full().ToString()},
                    {"manager", session->record.owner.manager},
                    {"connection", session->connection()}});
  session->link()->SendFenced(session->connection(), session->epoch());
  shard_->sessions->Remove(*session);
}

}  // namespace business
