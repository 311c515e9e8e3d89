// What a message is worth: kept in archives (XEP-0313 §5), for who is away (XEP-0160 §3), copied to
// one's other clients (XEP-0280 §6.1), and what its sender hints (XEP-0334).
#pragma once

#include "lib/xmpp/element.h"
#include "lib/xmpp/stanza.h"

namespace business {

struct MessageContent {
  bool archived = false;
  bool offline = false;        // waits for an account that has nobody available
  bool sent_copy = false;      // to the sender's other clients
  bool received_copy = false;  // to the recipient's other clients
};

// Only of messages. Parses `stanza.bytes` if the framer's flags do not say enough.
MessageContent ContentOf(const xmpp::Stanza& stanza);

// Takes out what only servers may say: carbons and archive results that a client made up
// (tests/attacks, row 33). True: something was there.
bool RemovePretended(xmpp::Stanza* message);

}  // namespace business
