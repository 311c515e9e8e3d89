// Moments as XEP-0082 writes them.
#pragma once

#include <cstdint>
#include <string>

namespace xmpp {

// `ms` since the epoch: 2006-12-19T17:58:35Z, with milliseconds unless they are zero.
std::string DateTimeText(int64_t ms);

}  // namespace xmpp
