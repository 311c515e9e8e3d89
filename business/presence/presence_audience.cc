#include "business/presence/presence_audience.h"

#include <set>
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

runtime::Task<std::vector<ContactRows>> WithoutDeaf(Shard* shard, xmpp::Jid from,
                                                    std::vector<ContactRows> contacts) {
  if (!shard->listener_filter) co_return contacts;
  std::vector<xmpp::BareJid> present;
  for (const ContactRows& contact : contacts) {
    // Who is not there hears nothing anyway; of whom Redis does not speak it is asked again.
    if (!contact.rows || !contact.rows->empty()) present.push_back(contact.account);
  }
  std::vector<xmpp::BareJid> listening = present;
  co_await shard->listener_filter(from, &listening);
  if (listening.size() == present.size()) co_return contacts;
  const std::set<xmpp::BareJid> asked(present.begin(), present.end());
  const std::set<xmpp::BareJid> hears(listening.begin(), listening.end());
  std::erase_if(contacts, [&](const ContactRows& contact) {
    return asked.contains(contact.account) && !hears.contains(contact.account);
  });
  co_return contacts;
}

runtime::Task<bool> MayHear(Shard* shard, xmpp::BareJid account, xmpp::BareJid from) {
  std::vector<xmpp::BareJid> left{account};
  if (account == from) co_return true;
  if (shard->audience_filter) co_await shard->audience_filter(from, &left);
  if (!left.empty() && shard->listener_filter) co_await shard->listener_filter(from, &left);
  co_return !left.empty();
}

}  // namespace business
