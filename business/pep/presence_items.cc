#include "business/pep/presence_items.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "business/pep/event_fanout.h"
#include "business/presence/presence_audience.h"
#include "business/presence/roster_lookup.h"
#include "business/session/session.h"
#include "business/session/session_table.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"

namespace business {
namespace {

using runtime::Result;

// Owners whose versions are read in one pipeline.
constexpr size_t kOwnersAtOnce = 100;

bool Wanted(const LastItem& last, const Interests& interests) {
  return last.config.send_last == SendLast::kOnSubAndPresence &&
         last.config.deliver_notifications && IsInterested(interests, last.node);
}

}  // namespace

void PresenceItems::OnKnown(const std::shared_ptr<Session>& session, const Interests& interests) {
  if (sent_.size() > 64 && sent_.size() > 2 * nodes_->shard().sessions->size()) Forget();
  Sent& sent = sent_[session->record.session];
  sent.session = session;
  // Only what it did not want before: later presence is no reason to send again (§4.3.2).
  std::vector<std::string> news;
  if (sent.interests) {
    std::set_difference(interests->begin(), interests->end(), sent.interests->begin(),
                        sent.interests->end(), std::back_inserter(news));
  } else {
    news = *interests;
  }
  sent.interests = interests;
  if (news.empty()) return;
  Target target;
  target.account = session->account();
  target.row = session->record;
  target.interests = std::make_shared<const std::vector<std::string>>(std::move(news));
  runtime::Spawn(Send(this, std::move(target)));
}

void PresenceItems::OnUnavailable(const Session& session) { sent_.erase(session.record.session); }

void PresenceItems::Forget() {
  absl::erase_if(sent_, [](const auto& entry) { return entry.second.session.expired(); });
}

Task<void> PresenceItems::Send(PresenceItems* self, Target target) {
  Shard* shard = &self->nodes_->shard();
  const PresenceAudience audience = co_await AudienceOf(shard, target.account);
  std::vector<xmpp::BareJid> owners(1, target.account);
  for (const xmpp::BareJid& contact : audience.shown) {
    if (audience.roster && SubscribesToUs(*audience.roster, contact)) owners.push_back(contact);
  }
  for (size_t begin = 0; begin < owners.size(); begin += kOwnersAtOnce) {
    const size_t end = std::min(begin + kOwnersAtOnce, owners.size());
    std::vector<xmpp::BareJid> some(owners.begin() + static_cast<ptrdiff_t>(begin),
                                    owners.begin() + static_cast<ptrdiff_t>(end));
    const std::vector<PubsubVersion> versions = co_await self->nodes_->last_items().Versions(some);
    for (size_t i = 0; i < some.size(); ++i) {
      co_await SendOf(self, &target, some[i], versions[i]);
    }
  }
}

Task<void> PresenceItems::SendOf(PresenceItems* self, const Target* target, xmpp::BareJid owner,
                                 PubsubVersion version) {
  Shard& shard = self->nodes_->shard();
  const Result<LastItemsPtr> items = co_await self->nodes_->last_items().Of(owner, version);
  if (!items) co_return;  // the store has trouble; clients may ask for what they miss
  const bool any = std::any_of((*items)->begin(), (*items)->end(), [&](const LastItem& last) {
    return Wanted(last, target->interests);
  });
  if (!any) co_return;
  const xmpp::Jid who = xmpp::Jid::FromNormalized(target->account.ToString());
  const Result<PubsubAsker> asker = co_await self->nodes_->AskerOf(owner, who);
  if (!asker) co_return;
  const bool hears = co_await MayHear(&shard, target->account, owner);
  if (!hears) co_return;
  for (const LastItem& last : **items) {
    if (!Wanted(last, target->interests)) continue;
    if (MayRead(last.config, PubsubAffiliation::kNone, false, *asker)) {
      // Perhaps he is one of few.
      const PubsubService& service = self->nodes_->service();
      PubsubResult<NodeView> looked = co_await service.LookToRead(owner, *asker, last.node);
      if (std::holds_alternative<xmpp::StanzaError>(looked)) continue;
    }
    PubsubItem item = last.item;
    if (last.big) {
      std::vector<std::string> nodes(1, last.node);
      const Result<std::vector<PubsubNewest>> read =
          co_await shard.stores->pubsub->Newest(owner, std::move(nodes));
      if (!read || read->empty()) continue;
      item = read->front().item;
    }
    self->SendItem(*target, owner, last, item);
  }
}

void PresenceItems::SendItem(const Target& target, const xmpp::BareJid& owner,
                             const LastItem& last, const PubsubItem& item) {
  Shard& shard = nodes_->shard();
  const std::vector<PubsubItem> items(1, item);
  EventStanza stanza;
  stanza.from = owner;
  stanza.headline = last.config.headline;
  // Of session and item: what is found out twice is sent once.
  stanza.id = shard.ids->Make(target.row.session, static_cast<uint64_t>(item.number),
                              owner.ToString(), last.node + "\n" + item.payload);
  stanza.index = kEffectLastItem;
  stanza.bytes = EventMessage(ItemsContent(last.node, items, last.config.deliver_payloads),
                              stanza.headline, cluster::ClusterIdText(stanza.id),
                              item.publisher.ToString(), item.stamp_ms);
  std::vector<EventTarget> targets;
  targets.push_back({target.account, target.row});
  SendEvent(&shard, std::move(stanza), std::move(targets), nullptr);
}

}  // namespace business
