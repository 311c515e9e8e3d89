// Changes to rosters, and what follows from each: the account's new version, and a push.
#pragma once

#include <memory>
#include <vector>

#include "business/routing/server_stanza.h"
#include "business/store/roster_store.h"
#include "lib/cluster/cluster_id.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct RosterChange {
  xmpp::BareJid account;
  xmpp::Jid contact;
  RosterTransition transition;
  cluster::ClusterId id{};  // of the stanza that causes it
  EffectIndex cause = kEffectRosterChange;
  EffectIndex push = kEffectRosterPush;
};

// Limits of one roster (tests/attacks, row 41).
inline constexpr uint32_t kMaxRosterItems = 5000;
inline constexpr uint32_t kMaxRequests = 1000;

// Writes it, tried again while the store has trouble, for kRosterDeadline at most; then raises the
// account's version. `pushes` gets what clients have to be told. After an error it may have
// happened.
inline constexpr uint64_t kRosterDeadlineMs = 10000;
runtime::Task<runtime::Result<RosterUpdate>> ChangeRoster(
    Shard* shard, RosterChange change, std::shared_ptr<std::vector<ServerStanza>> pushes);

// Something was written that caches hold: R13. Entries live a minute in any case, so that one that
// could not be told is stale for so long.
runtime::Task<void> RaiseVersion(Shard* shard, xmpp::BareJid account);

}  // namespace business
