// What stands within a <user/> of XEP-0227, to and from what the stores hold.
#pragma once

#include <optional>
#include <string>

#include "business/store/archive_store.h"
#include "business/store/offline_store.h"
#include "business/store/roster_store.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace business::pie {

// §4.3. nullopt: another mechanism, or not keys of one.
std::optional<xmpp::sasl::ScramKeys> ReadKeys(const xmpp::Element& credentials);
xmpp::Element WriteKeys(const xmpp::sasl::ScramKeys& keys);

// §4.4: RFC 6121 §2.1.2, with what a roster result tells of a contact. nullopt: no address.
std::optional<RosterEntry> ReadContact(const xmpp::Element& item);
xmpp::Element WriteContact(const RosterEntry& entry);

// §4.5. The stamp is the message's first <delay/>, or now; the effect is made of the contents, so
// that what is read twice is there once.
OfflineMessage ReadOffline(const xmpp::Element& message);

// §4.10: an XEP-0313 <result/>. nullopt: no message of the owner's in it.
std::optional<ArchiveEntry> ReadArchived(const xmpp::BareJid& owner, const xmpp::Element& result);
xmpp::Element WriteArchived(const ArchiveRow& row);

// 18 bytes that are the same for the same text, and no effect of any stanza.
std::string EffectOf(const std::string& text);

}  // namespace business::pie
