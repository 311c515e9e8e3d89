// Elements of stream management (XEP-0198).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/xmpp/stream_error.h"

namespace xmpp {

inline constexpr std::string_view kSmRequest = "<r xmlns='urn:xmpp:sm:3'/>";

// `id` empty: it cannot be resumed. `max_seconds` 0: not said.
std::string WriteSmEnabled(std::string_view id, uint64_t max_seconds);
std::string WriteSmAnswer(uint32_t h);
std::string WriteSmResumed(std::string_view previd, uint32_t h);
// `condition`: a stanza error's. `h`: what was handled of a session that is over (§5).
std::string WriteSmFailed(std::string_view condition, std::optional<uint32_t> h);
// §6: the other side confirms `h`, `sent` were sent.
StreamError HandledCountTooHigh(uint32_t h, uint32_t sent);

// An xs:unsignedInt, nothing else.
std::optional<uint32_t> ParseSmCount(std::string_view text);
// An xs:boolean; anything else is false.
bool ParseSmBoolean(std::string_view text);

}  // namespace xmpp
