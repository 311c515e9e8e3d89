#include "business/session/session_flags.h"

#include "business/session/backoff.h"
#include "business/session/ownership_guard.h"
#include "business/session/session.h"
#include "business/session/shard.h"

namespace business {
namespace {

constexpr uint64_t kDeadlineMs = 5000;

}  // namespace

runtime::Task<bool> ChangeSessionFlags(std::shared_ptr<Session> session, uint64_t set,
                                       uint64_t clear) {
  Shard& shard = session->shard();
  Backoff backoff(shard.loop);
  const uint64_t started_ms = shard.loop->NowMs();
  for (;;) {
    const uint64_t flags = (session->record.flags | set) & ~clear;
    if (flags == session->record.flags) co_return true;
    // Under the presence number that stands: written again, it changes nothing twice (R4).
    cluster::SessionRecord record = session->record;
    record.flags = flags;
    const auto outcome = co_await shard.registry->Update(session->account(), record);
    if (session->gone()) co_return false;
    if (outcome && *outcome == cluster::WriteOutcome::kDone) {
      session->record.flags = flags;
      session->SendTicket();
      co_return true;
    }
    if (shard.loop->NowMs() - started_ms >= kDeadlineMs) co_return false;
    // Fenced: by another owner, or because Redis lost the row and the announcement is on its way.
    if (outcome) shard.guard->Require(session);
    co_await backoff.Pause();
    if (session->gone()) co_return false;
  }
}

}  // namespace business
