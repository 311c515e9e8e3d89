// Roster items as XML, and pushes of them (RFC 6121 §2.1.6, §2.6).
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <string_view>

#include "business/routing/server_stanza.h"
#include "business/store/roster_store.h"
#include "lib/xmpp/element.h"

namespace business {

// `<item/>` as clients see it; without an item it says that it was removed.
xmpp::Element RosterItemElement(const RosterEntry& entry);

// `<query/>` with `ver`; 0, of a roster that never was written, is "0".
xmpp::Element RosterQuery(int64_t version);

// An item's new state for every resource that has asked for its roster, wherever it is connected.
ServerStanza RosterPush(const xmpp::BareJid& account, const RosterEntry& entry, int64_t version,
                        const cluster::ClusterId& id, EffectIndex index);

}  // namespace business
