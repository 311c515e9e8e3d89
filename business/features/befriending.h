// Two accounts of this cluster that see each other, without a handshake: because one has invited
// the other.
#pragma once

#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

// Both rosters and what clients are told of it; repeating changes nothing.
runtime::Task<void> Befriend(Shard* shard, xmpp::BareJid inviter, xmpp::BareJid invited);

}  // namespace business
