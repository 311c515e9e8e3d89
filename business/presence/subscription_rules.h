// RFC 6121 appendix A: what a subscription stanza makes of what stands between two entities.
#pragma once

#include <string>

#include "business/store/roster_store.h"
#include "lib/xmpp/stanza.h"

namespace business {

// What one side of a handshake does with subscribe, subscribed, unsubscribe or unsubscribed. Pure
// functions of the entry before: repeated, they say the same.
struct SubscriptionStep {
  RosterEntry after;
  bool route = false;       // outbound: it goes on to the contact
  bool deliver = false;     // inbound: the account's clients get it
  bool reply = false;       // inbound: the server answers `subscribed` on the account's behalf
  bool shows = false;       // the contact gets the account's presence from now on
  bool hides = false;       // … and did until now, or was told nothing yet and is to stop waiting
};

// A.2: `account` sends it. `type` is one of the four.
SubscriptionStep Outbound(xmpp::StanzaType type, const RosterEntry& before);

// A.3: it arrives for `account`. `request` is kept until a subscribe is answered.
SubscriptionStep Inbound(xmpp::StanzaType type, const RosterEntry& before,
                         const SubscriptionRequest& request);

// §2.5: the item goes, and with it both subscriptions.
struct Removal {
  RosterEntry after;
  bool unsubscribe = false;   // the contact is told so
  bool unsubscribed = false;
  bool hides = false;
};
Removal Remove(const RosterEntry& before);

}  // namespace business
