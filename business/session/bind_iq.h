// The iq of resource binding (RFC 6120 §7).
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "lib/xmpp/stanza_error.h"

namespace business {

struct BindIq {
  std::string id;
  std::string resource;  // normalised; empty: the server makes one up
};

struct RefusedBind {
  std::string reply;  // canonical; empty: it must not be answered (RFC 6120 §8.3.1)
};

// `canonical`: an iq whose payload is in the namespace of bind; nothing else of it was checked.
// Errors: `bad-request` for a malformed iq or a resource of more than 1023 bytes, `jid-malformed`
// for one that RFC 7622 §3.4 does not allow.
std::variant<BindIq, RefusedBind> ReadBindIq(std::string_view canonical);

// Canonical, without addresses.
std::string WriteBindResult(std::string_view id, std::string_view full_jid);
std::string WriteBindError(std::string_view id, const xmpp::StanzaError& error);

}  // namespace business
