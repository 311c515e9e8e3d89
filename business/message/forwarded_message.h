// Messages inside messages (XEP-0297): copies, archive results; and what is added to a message that
// comes late (XEP-0203).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/xmpp/stanza.h"

namespace business {

enum class CopyDirection : uint8_t { kSent, kReceived };

// XEP-0280 §8, §9: canonical, without addresses. `message` is canonical with both.
std::string CarbonCopy(CopyDirection direction, xmpp::StanzaType type, std::string_view message);

// XEP-0313 §4.2: canonical, without addresses.
std::string ArchiveResult(std::string_view query_id, std::string_view id, int64_t stamp_ms,
                          std::string_view message);

// `message` with <delay/> as its last child, unless one of `domain` is there already.
std::string WithDelay(std::string message, std::string_view domain, int64_t stamp_ms);

}  // namespace business
