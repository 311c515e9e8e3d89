// Whom a stanza of a local session addresses (RFC 6120 §10.3–10.5).
#pragma once

#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

struct Shard;

struct Address {
  enum class Kind {
    kNone,            // no `to`; handled on behalf of the sender's account
    kServer,          // a served domain
    kServerResource,  // a resource of a served domain
    kAccount,         // bare JID of a served domain
    kResource,        // full JID of a served domain
    kOutside,         // any other domain
  };
  Kind kind = Kind::kNone;
  xmpp::Jid to;  // kNone: the sender's bare JID
};

// `stanza.to` must be normalised: its verdict is kOk.
Address AddressOf(const Shard& shard, const xmpp::Stanza& stanza, const xmpp::BareJid& sender);

}  // namespace business
