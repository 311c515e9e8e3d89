// Reads what a client wants its roster to become (RFC 6121 §2.3.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "business/store/roster_store.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

struct RosterSet {
  xmpp::Jid contact;
  bool remove = false;
  std::string name;
  std::vector<std::string> groups;
};

// Bytes, each; an item is pushed to every resource.
inline constexpr size_t kMaxRosterName = 1023;
inline constexpr size_t kMaxGroupName = 1023;
inline constexpr size_t kMaxGroups = 100;

// `query` is the payload of an iq set of `account`.
std::variant<RosterSet, xmpp::StanzaError> ReadRosterSet(const xmpp::Element& query,
                                                         const xmpp::BareJid& account);

// Name and groups are the client's; the rest is the server's (§2.1.2).
RosterEntry Apply(const RosterSet& set, const RosterEntry& before);

}  // namespace business
