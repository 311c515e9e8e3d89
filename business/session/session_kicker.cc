#include "business/session/session_kicker.h"

#include <optional>
#include <utility>
#include <vector>

#include "business/link/manager_links.h"
#include "business/session/session_events.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"

namespace business {

using cluster::SessionRecord;
using runtime::Result;
using runtime::Task;

Task<Result<uint32_t>> SessionKicker::End(xmpp::BareJid account, std::string resource,
                                          xmpp::StreamError error) {
  Result<std::vector<SessionRecord>> rows = co_await registry_->Lookup(account);
  if (!rows) co_return rows.error();
  uint32_t ended = 0;
  for (const SessionRecord& row : *rows) {
    if (!resource.empty() && row.resource != resource) continue;
    Result<std::optional<SessionRecord>> gone =
        co_await registry_->End(account, row.resource, row.owner);
    if (!gone && gone.error().unknown()) {
      // R4: repeated within two minutes it gives the row again, so this is no blind repetition.
      gone = co_await registry_->End(account, row.resource, row.owner);
    }
    if (!gone) co_return gone.error();
    if (!gone->has_value()) continue;  // ended or replaced meanwhile
    if (ManagerLinks* links = links_()) links->Close(row.owner, error);
    events_->OnSessionEnded(account, **gone, {});
    runtime::LogInfo("session_kicked", "A session was ended by order.",
                     {{"jid", account.ToString() + "/" + row.resource},
                      {"manager", row.owner.manager},
                      {"condition", xmpp::ConditionName(error.condition)}});
    ++ended;
  }
  co_return ended;
}

SessionKicker KickerOf(Shard* shard) {
  return SessionKicker(
      shard->registry, [shard] { return shard->links; }, shard->events);
}

}  // namespace business
