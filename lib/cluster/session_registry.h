// Which manager owns each full JID: bind, take-over, look-up, end, all atomic in Redis and fenced
// by epoch (design R3, R11).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace cluster {

enum class WriteOutcome {
  kDone,
  kFenced,   // another owner, or no such record: nothing was changed
};

struct BindRequest {
  xmpp::BareJid account;
  std::string resource;        // normalised; empty: the registry makes one up
  SessionRecord record;        // owner.epoch and resource are filled in by the registry
  uint64_t generation = 0;
  uint32_t max_resources = 50;
  bool replace = true;         // conflict policy: else refuse
};

struct BindOutcome {
  enum class Kind { kBound, kConflict, kTooManyResources } kind = Kind::kBound;
  SessionRecord record;                   // as written
  std::optional<SessionRecord> replaced;  // whose owner has to be told `conflict`
};

// One per loop; uses the loop's Redis client. Every call may end with an Error of kind kUnknown: the
// caller reads back (Lookup) instead of repeating blindly (R4).
class SessionRegistry {
 public:
  explicit SessionRegistry(runtime::RedisClient* redis) : redis_(redis) {}

  // Adds the account to the manager's superset first, then binds in one script. Repeating a bind
  // with the same record.session gives the same outcome (R4).
  runtime::Task<runtime::Result<BindOutcome>> Bind(BindRequest request);

  // All sessions of an account; malformed rows are skipped and counted.
  runtime::Task<runtime::Result<std::vector<SessionRecord>>> Lookup(const xmpp::BareJid& account);
  // Callback form for the stanza path: no coroutine frame.
  void Lookup(const xmpp::BareJid& account,
              absl::AnyInvocable<void(runtime::Result<std::vector<SessionRecord>>)> done);

  // True if `owner` still owns `full`. One pipelined read: what fences a session without
  // stream management before its stanzas have an effect.
  void CheckOwner(const xmpp::FullJid& full, const Owner& owner,
                  absl::AnyInvocable<void(runtime::Result<bool>)> done);

  // Availability, priority, flags, presence of one's own session. Older presence numbers change
  // nothing and count as done.
  runtime::Task<runtime::Result<WriteOutcome>> Update(const xmpp::BareJid& account,
                                                      SessionRecord record);

  // Removes the row if `owner` still owns it. Done also gives the row removed (nullopt = fenced).
  runtime::Task<runtime::Result<std::optional<SessionRecord>>> End(const xmpp::BareJid& account,
                                                                   std::string resource,
                                                                   Owner owner);

  // A manager announces a session after a loss of Redis: writes the row unless one with a higher
  // epoch (by counter, generations apart) stands; an absent row is made under `generation`. The
  // outcome's record carries the epoch that now holds; kFenced when another owner is newer.
  struct AnnounceOutcome {
    WriteOutcome outcome;
    SessionRecord record;
  };
  runtime::Task<runtime::Result<AnnounceOutcome>> Announce(const xmpp::BareJid& account,
                                                           SessionRecord record,
                                                           uint64_t generation);

  // Ends every row of `account` that `manager`.`incarnation` owns: the reaper's step.
  runtime::Task<runtime::Result<std::vector<SessionRecord>>> EndAllOf(const xmpp::BareJid& account,
                                                                      std::string manager,
                                                                      uint64_t incarnation);

  // Account data version (R13).
  runtime::Task<runtime::Result<uint64_t>> Version(const xmpp::BareJid& account);
  runtime::Task<runtime::Result<uint64_t>> RaiseVersion(const xmpp::BareJid& account);

 private:
  runtime::RedisClient* redis_;
};

}  // namespace cluster
