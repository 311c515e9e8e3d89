// Handshakes between two accounts (RFC 6121 §3): what one says, what that makes of the other, and
// who is told. Both rosters are of this cluster; other domains are not reached yet.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <vector>

#include "business/routing/server_stanza.h"
#include "business/store/roster_store.h"
#include "lib/cluster/cluster_id.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

struct Shard;

// What is left to do once the stores have everything. Each effect is recognised when it is repeated.
struct SubscriptionEffects {
  // `contact` is shown `account`'s available resources, or that they are gone.
  struct Introduction {
    xmpp::BareJid account;
    xmpp::BareJid contact;
    bool available;
    cluster::ClusterId id;
  };
  std::shared_ptr<std::vector<ServerStanza>> stanzas =
      std::make_shared<std::vector<ServerStanza>>();
  std::vector<Introduction> introductions;
  // One of the two has blocked the other: what the contact's client would see of it is left out, and
  // a request is not kept (XEP-0191 §3.3).
  bool blocked = false;
};

// `done` is called once, when all are finished; from inside if there are none.
void IssueSubscriptionEffects(Shard* shard, SubscriptionEffects effects,
                              absl::AnyInvocable<void()> done);

// The same for an iq: it is answered when everybody has its push, or after a second. Who has not got
// it by then gets it from its retries.
runtime::Task<void> IssueWithPatience(Shard* shard, SubscriptionEffects effects);

struct SubscriptionStanza {
  xmpp::StanzaType type;  // one of the four
  xmpp::BareJid from, to;
  std::string bytes;  // canonical, without addresses
  cluster::ClusterId id{};
};

// A.2, then A.3 at the contact. kFull: `from`'s roster has no room. An error: what is left undone is
// done when the client asks again.
runtime::Task<runtime::Result<RosterUpdate::Outcome>> SendSubscription(
    Shard* shard, SubscriptionStanza stanza, std::shared_ptr<SubscriptionEffects> effects);

// §2.5. kUnchanged: there is no such item.
runtime::Task<runtime::Result<RosterUpdate::Outcome>> RemoveContact(
    Shard* shard, xmpp::BareJid account, xmpp::Jid contact, cluster::ClusterId id,
    std::shared_ptr<SubscriptionEffects> effects);

}  // namespace business
