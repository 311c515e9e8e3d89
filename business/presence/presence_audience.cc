#include "business/presence/presence_audience.h"

#include <string>
#include <utility>

#include "business/session/backoff.h"
#include "business/session/shard.h"

namespace business {

runtime::Task<PresenceAudience> AudienceOf(Shard* shard, xmpp::BareJid account) {
  PresenceAudience audience;
  Backoff backoff(shard->loop);
  const uint64_t started_ms = shard->loop->NowMs();
  for (;;) {
    const auto roster = co_await shard->rosters->RosterOf(account);
    if (roster) {
      audience.roster = *roster;
      break;
    }
    if (shard->loop->NowMs() - started_ms >= kAudienceDeadlineMs) {
      shard->metrics->CountDrop("no_roster");
      co_return audience;
    }
    co_await backoff.Pause();
  }
  for (const RosterEntry& entry : audience.roster->entries) {
    if (!entry.item || entry.contact.HasResource() || !entry.contact.HasLocal() ||
        entry.contact.ToString() == account.ToString() || !shard->Serves(entry.contact.domain())) {
      continue;
    }
    xmpp::BareJid contact = *xmpp::BareJid::From(entry.contact);
    if (HasFrom(*entry.item)) audience.told.push_back(contact);
    if (HasTo(*entry.item)) audience.shown.push_back(std::move(contact));
  }
  if (shard->audience_filter) {
    co_await shard->audience_filter(account, &audience.told);
    co_await shard->audience_filter(account, &audience.shown);
  }
  co_return audience;
}

}  // namespace business
