// Where stanzas for other domains go. The one place that gateways and component hosts will replace.
#pragma once

#include <string_view>

#include "lib/xmpp/stanza_error.h"

namespace business {

struct Shard;

// Neither gateways nor component hosts are attached yet, so no other domain can be reached
// (RFC 6120 §10.4: remote-server-not-found), sub-domains of ours included.
xmpp::StanzaError RouteOutside(const Shard& shard, std::string_view domain);

}  // namespace business
