#include "business/presence/presence_delivery.h"

#include <algorithm>
#include <utility>

#include "business/routing/stanza_class.h"
#include "business/session/shard.h"

namespace business {

void PresenceDelivery::Start(Shard* shard, PresenceNotice notice, Done done) {
  auto account = xmpp::BareJid::From(notice.to);
  if (!account || !shard->Serves(account->domain())) {
    if (done) done();
    return;
  }
  std::make_shared<PresenceDelivery>(shard, std::move(*account), std::move(notice), std::move(done))
      ->LookUp();
}

PresenceDelivery::PresenceDelivery(Shard* shard, xmpp::BareJid account, PresenceNotice notice,
                                   Done done)
    : AccountDelivery(shard, std::move(account)),
      notice_(std::move(notice)),
      done_(std::move(done)) {}

Recipients PresenceDelivery::Choose(const std::vector<cluster::SessionRecord>& rows) {
  if (account().ToString() == notice_.from.BareView()) {
    for (const cluster::SessionRecord& row : rows) {
      // The same resource is available again: whoever is told "unavailable" now would keep that as
      // its newest news (R6).
      if (row.resource == notice_.from.resource() && row.owner.epoch > notice_.epoch &&
          row.available) {
        return {};
      }
    }
  }
  return ChooseRecipients(xmpp::StanzaKind::kPresence, xmpp::StanzaType::kUnavailable,
                          notice_.to.resource(), rows);
}

DeliverBody PresenceDelivery::Body() {
  DeliverBody body;
  body.bytes = xmpp::WithAddresses(notice_.bytes, xmpp::StanzaKind::kPresence,
                                   notice_.from.ToString(), {});
  body.splice_offset = xmpp::SpliceOffset(xmpp::StanzaKind::kPresence);
  body.kind = static_cast<uint8_t>(xmpp::StanzaKind::kPresence);
  body.stanza_class = kClassPresence;
  return body;
}

void PresenceDelivery::OnDelivered(End end) {
  if (end == End::kUndeliverable || end == End::kNoRegistry) {
    shard().metrics->CountDrop("presence_undeliverable");
  }
  if (done_) std::exchange(done_, nullptr)();
}

}  // namespace business
