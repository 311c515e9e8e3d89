// One event of a node to sessions of many accounts: what was read in one pipeline leaves as one
// delivery, which the links split by manager.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <vector>

#include "business/presence/contact_rows.h"
#include "business/routing/account_delivery.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct EventStanza {
  xmpp::BareJid from;
  std::string bytes;  // canonical `<message …>` without addresses
  bool headline = true;
  cluster::ClusterId id{};
  EffectIndex index = kEffectPubsubEvent;
};

struct EventTarget {
  xmpp::BareJid account;
  cluster::SessionRecord row;
};

// `done` is called once all have answered for the first time; from inside if there are no targets.
// Those who did not take it are tried again behind the caller's back. Each target is written its
// full address. Those whom a feature (to_resource) keeps it from are left out.
void SendEvent(Shard* shard, EventStanza stanza, std::vector<EventTarget> targets,
               absl::AnyInvocable<void()> done);

}  // namespace business
