// Who sees an account's presence, and whose presence it sees, by its roster.
#pragma once

#include <vector>

#include "business/presence/contact_rows.h"
#include "business/presence/roster_lookup.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct PresenceAudience {
  RosterPtr roster;
  std::vector<xmpp::BareJid> told;   // subscription "from" or "both"
  std::vector<xmpp::BareJid> shown;  // "to" or "both"
};

// Without those whom Shard::audience_filter takes away.
//
// Accounts of served domains only: other domains are not reached yet. Tried again while the store
// has trouble, for kAudienceDeadline at most; then without anybody, and `roster` is nullptr.
inline constexpr uint64_t kAudienceDeadlineMs = 10000;
runtime::Task<PresenceAudience> AudienceOf(Shard* shard, xmpp::BareJid account);

// Without those of `contacts` who are there and do not want to hear of `from`
// (Shard::listener_filter).
runtime::Task<std::vector<ContactRows>> WithoutDeaf(Shard* shard, xmpp::Jid from,
                                                    std::vector<ContactRows> contacts);
// `account` hears of `from`: neither has blocked the other.
runtime::Task<bool> MayHear(Shard* shard, xmpp::BareJid account, xmpp::BareJid from);

}  // namespace business
