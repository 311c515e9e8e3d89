#include "business/presence/roster_writer.h"

#include <utility>

#include "business/presence/roster_push.h"
#include "business/session/backoff.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"
#include "lib/runtime/process.h"

namespace business {

using runtime::Result;
using runtime::Task;
using Outcome = RosterUpdate::Outcome;

namespace {

constexpr int kRaises = 5;

runtime::Counter& Changes(Outcome outcome) {
  static constexpr const char* kNames[] = {"changed", "unchanged", "repeated", "full", "no_owner"};
  return runtime::Metrics::Get().GetCounter("xylem_roster_changes_total",
                                            "Changes to rosters, by what became of them",
                                            {{"outcome", kNames[static_cast<size_t>(outcome)]}});
}

}  // namespace

Task<void> RaiseVersion(Shard* shard, xmpp::BareJid account) {
  Backoff backoff(shard->loop);
  for (int i = 0; i < kRaises; ++i) {
    const auto raised = co_await shard->registry->RaiseVersion(account);
    if (raised) co_return;
    co_await backoff.Pause();
  }
  runtime::LogWarn("version_not_raised", "caches may hold an older roster for a minute",
                   {{"account", account.ToString()}});
}

Task<Result<RosterUpdate>> ChangeRoster(Shard* shard, RosterChange change,
                                        std::shared_ptr<std::vector<ServerStanza>> pushes) {
  RosterUpdateOptions options;
  options.cause = cluster::EffectId(change.id, change.cause);
  options.max_items = kMaxRosterItems;
  options.max_requests = kMaxRequests;
  Backoff backoff(shard->loop);
  const uint64_t started_ms = shard->loop->NowMs();
  for (;;) {
    // R4: after an unknown outcome the same cause is recognised.
    Result<RosterUpdate> update = co_await shard->stores->rosters->Update(
        change.account, change.contact, change.transition, options);
    const bool hopeless = !update && update.error().kind == runtime::ErrorKind::kFailed;
    if (!update && !hopeless && shard->loop->NowMs() - started_ms < kRosterDeadlineMs) {
      co_await backoff.Pause();
      continue;
    }
    if (!update) co_return update.error();
    Changes(update->outcome).Add();
    const bool written =
        update->outcome == Outcome::kChanged || update->outcome == Outcome::kRepeated;
    runtime::KillPoint("roster.after_commit");
    if (written) co_await RaiseVersion(shard, change.account);
    if (written && update->before.item != update->after.item) {
      pushes->push_back(RosterPush(change.account, update->after, update->version, change.id,
                                   change.push));
    }
    co_return update;
  }
}

}  // namespace business
