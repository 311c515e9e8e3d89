// The sessions of many accounts, read in one pipeline.
#pragma once

#include <absl/functional/any_invocable.h>

#include <optional>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct ContactRows {
  xmpp::BareJid account;
  // nullopt: Redis did not say within kContactRowsDeadline.
  std::optional<std::vector<cluster::SessionRecord>> rows;
};

inline constexpr uint64_t kContactRowsDeadlineMs = 5000;

// `done` gets one entry an account, in order; called from inside if there is none. Those that Redis
// did not answer for are asked again, with pauses.
void LookUpContacts(Shard* shard, std::vector<xmpp::BareJid> accounts,
                    absl::AnyInvocable<void(std::vector<ContactRows>)> done);

}  // namespace business
