// Presence that the server sends on a session's behalf to one local account: unavailable to those
// who were shown the session.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>

#include "business/routing/account_delivery.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

struct PresenceNotice {
  xmpp::FullJid from;
  cluster::Epoch epoch = 0;  // of the session it tells of
  xmpp::Jid to;              // account or resource of a served domain
  std::string bytes;         // canonical `<presence type='unavailable'…>` without addresses
  cluster::ClusterId id{};
  EffectIndex index = kEffectDelivery;
};

// `done` as with SendServerStanza. Goes on whatever becomes of the session: what it tells stays
// true.
void TellUnavailable(Shard* shard, PresenceNotice notice, absl::AnyInvocable<void()> done);

}  // namespace business
