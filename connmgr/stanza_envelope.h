// A stanza as it goes up: the wire form of xylem.v1.Envelope.
#pragma once

#include <string>

#include "lib/xmpp/stanza.h"

namespace connmgr {

// Serialised, in one allocation.
std::string WriteEnvelope(const xmpp::Stanza& stanza);

}  // namespace connmgr
