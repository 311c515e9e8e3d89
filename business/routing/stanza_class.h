// How much a stanza promises (docs/guarantees.md): the wire's StanzaClass without its header.
#pragma once

#include <cstdint>

#include "lib/xmpp/stanza.h"

namespace business {

enum StanzaClass : uint8_t {
  kClassDurable = 1,
  kClassRemote = 2,
  kClassIq = 3,
  kClassOutbox = 4,
  kClassPresence = 5,
};

StanzaClass ClassOf(const xmpp::Stanza& stanza);

}  // namespace business
