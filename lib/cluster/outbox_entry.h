// How a stanza stands in an outbox.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/cluster/outbox.h"

namespace cluster {

// "<class><kind> <flags> <stamp> <effect, hex> ": behind it stand "<others> <to>\n" and the body.
std::string EntryFront(const OutboxEntry& entry);
// `shown`: the body of class V, whose entry holds the `from` only. nullopt: damaged, or of a later
// version.
std::optional<OutboxEntry> ParseEntry(std::string_view text, std::string shown);
// The `from` of a canonical stanza; empty if it has none.
std::string_view FromOf(std::string_view body);
// 16 bytes from 32 hex digits; empty if it is something else.
std::string SessionOfHex(std::string_view hex);

}  // namespace cluster
