// Moments as XEP-0082 writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp {

// `ms` since the epoch: 2006-12-19T17:58:35Z, with milliseconds unless they are zero.
std::string DateTimeText(int64_t ms);
// The DateTime profile, §3.2: with any number of digits behind the second, `Z` or an offset. Years
// 1 to 9999. nullopt: anything else, days that do not exist included.
std::optional<int64_t> ParseDateTime(std::string_view text);

}  // namespace xmpp
