// Which manager owns each full JID: bind, take-over, look-up, end, all atomic in Redis and fenced
// by epoch (R3, R11).
#pragma once

#include <absl/functional/any_invocable.h>

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
  kFenced,  // another owner, or no such record: nothing was changed
};

struct BindRequest {
  xmpp::BareJid account;
  std::string resource;  // normalised; empty: the registry makes one up
  SessionRecord record;  // owner.epoch and resource are filled in by the registry
  uint64_t generation = 0;
  uint32_t max_resources = 50;
  bool replace = true;  // conflict policy: else refuse
};

struct BindOutcome {
  enum class Kind { kBound, kConflict, kTooManyResources } kind = Kind::kBound;
  SessionRecord record;                   // as written
  std::optional<SessionRecord> replaced;  // whose owner has to be told `conflict`
};

// One per loop; uses the loop's Redis client. Every call may end with an Error of kind kUnknown:
// the caller reads back (Lookup) instead of repeating blindly (R4).
//
// An error reply of Redis is kUnavailable if it passes by itself (LOADING, OOM …), else kFailed.
class SessionRegistry {
 public:
  explicit SessionRegistry(runtime::RedisClient* redis) : redis_(redis) {}

  // Adds the account to the manager's superset first, then binds in one script. Repeating a bind
  // with the same record.session while it stands gives the same outcome, `replaced` included (R4).
  // kFailed also when a row of a newer generation stands: this server is behind.
  runtime::Task<runtime::Result<BindOutcome>> Bind(BindRequest request);

  // All sessions of an account; malformed rows are skipped and counted.
  runtime::Task<runtime::Result<std::vector<SessionRecord>>> Lookup(const xmpp::BareJid& account);
  // Callback form for the stanza path: no coroutine frame.
  void Lookup(const xmpp::BareJid& account,
              absl::AnyInvocable<void(runtime::Result<std::vector<SessionRecord>>)> done);

  // Does `owner` still own `full`? One pipelined read: what fences a session before its stanzas have
  // an effect.
  struct OwnerCheck {
    bool owns = false;
    bool others_want_copies = false;  // another session of the account has carbons on
  };
  void CheckOwner(const xmpp::FullJid& full, const Owner& owner,
                  absl::AnyInvocable<void(runtime::Result<OwnerCheck>)> done);

  // Availability, priority, flags, presence of one's own session. Older presence numbers change
  // nothing and count as done.
  runtime::Task<runtime::Result<WriteOutcome>> Update(const xmpp::BareJid& account,
                                                      SessionRecord record);

  // Removes the row if `owner` still owns it and gives it (nullopt = fenced). Repeated within two
  // minutes it gives the row again.
  //
  // Of a session with stream management that ends by this, by Bind or by EndAllOf, the outbox stays
  // and a hint is left for whoever deals with such (Outbox::TakeDue).
  runtime::Task<runtime::Result<std::optional<SessionRecord>>> End(const xmpp::BareJid& account,
                                                                   std::string resource,
                                                                   Owner owner);

  // A manager announces a session after a loss of Redis: writes the row under the session's own
  // epoch, unless one with a higher epoch stands (kFenced, its row is the outcome's record). The
  // account's counter is raised to the epoch's, and the manager's superset has the account again.
  // Done: the record as it stands; of the same owner's row, the newer presence was kept.
  struct AnnounceOutcome {
    WriteOutcome outcome;
    SessionRecord record;
  };
  runtime::Task<runtime::Result<AnnounceOutcome>> Announce(const xmpp::BareJid& account,
                                                           SessionRecord record,
                                                           uint64_t generation);

  // Ends every row of `account` that `manager`.`incarnation` owns: the reaper's step. Repeated
  // within two minutes it gives the rows again. Sessions that can be resumed are hibernated, and
  // not among those that are given.
  runtime::Task<runtime::Result<std::vector<SessionRecord>>> EndAllOf(const xmpp::BareJid& account,
                                                                      std::string manager,
                                                                      uint64_t incarnation);

  // Ends the rows of a live manager that were neither bound nor announced under `generation` or a
  // newer one: what a restored, older copy of Redis brought back.
  runtime::Task<runtime::Result<std::vector<SessionRecord>>> SweepAccount(
      const xmpp::BareJid& account, std::string manager, uint64_t incarnation, uint64_t generation);

  // Tells whoever reaps the owner's manager of the account: before the manager owns a session of it
  // by anything but Bind or Announce.
  runtime::Task<runtime::Result<void>> AddToSuperset(const Owner& owner, std::string account);

  // Account data version (R13): 0 or a number that never comes again.
  runtime::Task<runtime::Result<uint64_t>> Version(const xmpp::BareJid& account);
  void Version(const xmpp::BareJid& account,
               absl::AnyInvocable<void(runtime::Result<uint64_t>)> done);
  runtime::Task<runtime::Result<uint64_t>> RaiseVersion(const xmpp::BareJid& account);

 private:
  runtime::Task<runtime::Result<std::vector<SessionRecord>>> EndRows(std::string account,
                                                                     std::string manager,
                                                                     uint64_t incarnation,
                                                                     std::string generation);
  // A hint that this session has to be looked at; true: it is left.
  runtime::Task<bool> LeaveHint(std::string account, std::string session, std::string resource,
                                uint64_t at_ms);

  runtime::RedisClient* redis_;
};

}  // namespace cluster
