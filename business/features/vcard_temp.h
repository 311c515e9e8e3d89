#pragma once

#include <functional>

#include "business/feature.h"
#include "lib/runtime/result.h"

namespace business {

struct Shard;

inline constexpr size_t kMaxVcard = 200 * 1024;  // bytes; a photo is most of it

// The vCard was stored by the iq that is given: what has to follow before that is answered. May be
// called again for the same iq.
using VcardWritten = std::function<Task<runtime::Result<void>>(Iq iq, xmpp::Element card)>;

Feature VcardTemp(Shard* shard, VcardWritten written = nullptr);

}  // namespace business
