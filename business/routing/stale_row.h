// Rows of the registry whose manager says that it does not hold the session.
#pragma once

#include <cstdint>

#include "lib/cluster/session_record.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

// A manager that says "not here" may be about to hear of the session (its BOUND or its new epoch is
// on the way), or its Closed is on the way to us. Only a row that stays refused is stale.
inline constexpr uint64_t kRefusalProvesMs = 3000;

// Removes the row if its owner still owns it, and tells who has to know.
runtime::Task<void> EndStaleRow(Shard* shard, xmpp::BareJid account, cluster::SessionRecord row);

}  // namespace business
