// A stanza that the server sends to one local account of its own accord: a push, a copy, an event,
// what was stored for it.
#pragma once

#include <absl/functional/any_invocable.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "business/message/recipient_rule.h"
#include "business/routing/account_delivery.h"
#include "business/routing/stanza_class.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

struct ServerStanza {
  xmpp::StanzaKind kind = xmpp::StanzaKind::kMessage;
  xmpp::StanzaType type = xmpp::StanzaType::kNone;
  std::string from;   // full or bare JID that is written; empty: none
  xmpp::Jid to;       // account or resource of a served domain
  std::string bytes;  // canonical, without addresses
  StanzaClass stanza_class = kClassOutbox;
  uint64_t flags = 0;
  bool to_resources = false;  // `to` is written with the resource of whoever gets it
  // The effect (R2): the id of what causes it, and which of that one's effects it is.
  cluster::ClusterId id{};
  EffectIndex index = kEffectDelivery;
  // Who of the account's sessions gets it. Empty: RFC 6121 §8.5 by kind, type and resource.
  std::function<Recipients(const std::vector<cluster::SessionRecord>&)> choose;
};

// `done` is called once, when the recipients' managers have answered, nobody is there, or the
// deadlines of AccountDelivery are over; it may be empty, and may be called from inside. kNobody at
// once for addresses that are no account's of ours. Goes on whatever becomes of who caused it.
using ServerStanzaDone = absl::AnyInvocable<void(AccountDelivery::End)>;
void SendServerStanza(Shard* shard, ServerStanza stanza, ServerStanzaDone done);

}  // namespace business
