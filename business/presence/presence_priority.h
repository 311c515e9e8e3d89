// The priority of a presence stanza (RFC 6121 §4.7.2.3).
#pragma once

#include <cstdint>
#include <optional>

#include "lib/xmpp/stanza.h"

namespace business {

// −128 … 127; 0 if there is none. nullopt: not an xs:byte, or given more than once.
std::optional<int32_t> PriorityOf(const xmpp::Stanza& presence);

}  // namespace business
