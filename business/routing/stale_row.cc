#include "business/routing/stale_row.h"

#include "business/session/session_events.h"
#include "business/session/shard.h"

namespace business {

runtime::Task<void> EndStaleRow(Shard* shard, xmpp::BareJid account, cluster::SessionRecord row) {
  shard->metrics->stale_rows.Add();
  const auto ended = co_await shard->registry->End(account, row.resource, row.owner);
  if (ended && ended->has_value()) shard->events->OnSessionEnded(account, **ended, {});
}

}  // namespace business
