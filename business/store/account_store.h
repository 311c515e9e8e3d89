// Accounts: who may log in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/sasl/server_exchange.h"

namespace business {

struct Account {
  xmpp::BareJid jid;
  std::vector<xmpp::sasl::ScramKeys> keys;  // one per hash
  bool locked = false;
  int64_t created = 0;  // seconds since the epoch
  int64_t password_changed = 0;
};

// One per loop: calls and answers are on that loop; the work runs on the store's own threads.
// Writes are group committed: answered when they are on disk. Unknown outcomes: Error kUnknown.
class AccountStore {
 public:
  virtual ~AccountStore() = default;
  virtual runtime::Task<runtime::Result<std::optional<Account>>> Find(xmpp::BareJid jid) = 0;
  enum class Put { kDone, kExists, kMissing };
  virtual runtime::Task<runtime::Result<Put>> Add(Account account) = 0;
  virtual runtime::Task<runtime::Result<Put>> SetKeys(xmpp::BareJid jid,
                                                      std::vector<xmpp::sasl::ScramKeys> keys) = 0;
  virtual runtime::Task<runtime::Result<Put>> SetLocked(xmpp::BareJid jid, bool locked) = 0;
  virtual runtime::Task<runtime::Result<Put>> Remove(xmpp::BareJid jid) = 0;
  // Ordered by JID, behind `after`, at most `limit`.
  virtual runtime::Task<runtime::Result<std::vector<Account>>> List(std::string domain,
                                                                    std::string after,
                                                                    uint32_t limit) = 0;
};

}  // namespace business
