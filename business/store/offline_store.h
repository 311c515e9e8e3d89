// Messages for accounts with nobody available (XEP-0160).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct OfflineMessage {
  std::string effect;    // cluster::EffectId, 18 bytes: once per account (R2)
  std::string bytes;     // canonical stanza with addresses
  int64_t stamp_ms = 0;  // when it was taken, milliseconds since the epoch: XEP-0203's stamp
  uint32_t flags = 0;    // the caller's
  int64_t number = 0;    // given by the store: ascending in order of arrival, never used again
};

struct OfflineLimits {
  uint32_t messages = 1000;
  uint64_t bytes = 16 << 20;  // of stanzas, all together
};

struct OfflineCount {
  uint32_t messages = 0;
  uint64_t bytes = 0;
};

// One per loop, as AccountStore; errors and unknown outcomes as there.
class OfflineStore {
 public:
  virtual ~OfflineStore() = default;
  // kRepeated: the effect is there already. A full queue takes nothing (kFull): what it holds is
  // never pushed out.
  enum class Append { kDone, kRepeated, kFull, kNoOwner };
  virtual runtime::Task<runtime::Result<Append>> Add(xmpp::BareJid account, OfflineMessage message,
                                                     OfflineLimits limits) = 0;
  // In order of arrival, behind number `after` (0: from the first), at most `limit`.
  virtual runtime::Task<runtime::Result<std::vector<OfflineMessage>>> Read(xmpp::BareJid account,
                                                                           int64_t after,
                                                                           uint32_t limit) = 0;
  virtual runtime::Task<runtime::Result<OfflineCount>> Count(xmpp::BareJid account) = 0;
  // Those up to `number`; what came meanwhile stays. Answers how many went.
  virtual runtime::Task<runtime::Result<uint32_t>> RemoveUpTo(xmpp::BareJid account,
                                                              int64_t number) = 0;
  // By effect (R2: somebody became available, the message was delivered after all).
  virtual runtime::Task<runtime::Result<uint32_t>> Remove(xmpp::BareJid account,
                                                          std::vector<std::string> effects) = 0;
};

}  // namespace business
