// Outboxes: what clients with stream management have not confirmed, kept in Redis so that any
// manager can go on with the session (R1–R3).
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace cluster {

// One stanza on its way into outboxes of one account.
struct OutboxEntry {
  static constexpr size_t kSessionPrefix = 8;
  static constexpr uint8_t kPresenceClass = 5;  // V: of each `from` only the newest is kept

  uint8_t stanza_class = 0;  // xylem::v1::StanzaClass
  uint8_t kind = 0;          // xmpp::StanzaKind
  uint64_t flags = 0;        // xmpp::StanzaFlag bits, and the caller's
  uint64_t stamp_ms = 0;     // when it was taken, wall clock; 0: of no interest
  std::string effect;        // EffectId
  std::string to;            // to be written in; may be empty
  // Sessions that got it as well, by the first kSessionPrefix hex digits of each: whoever of them is
  // still there is the one to confirm it.
  std::string others;
  std::string body;          // canonical, with `from`, without `to`
};

// Whose effect it is: what lets Redis recognise it when it comes again (R2).
struct OutboxOrigin {
  std::string session;     // 16 bytes; empty: made by the server
  uint64_t number = 0;     // the origin's in_seq; of the server: ignored
  uint64_t committed = 0;  // of the origin: what lies before comes no more
  bool again = false;      // another server may have done it before, for sessions that are gone
};

struct OutboxTarget {
  std::string resource;
  std::string session;  // 16 bytes
  std::string to;       // as in OutboxEntry, whose own is not looked at
  std::string others;   // the same
};

struct AppendResult {
  enum class Outcome : uint8_t {
    kAppended,
    kFull,  // the same, and its bound is reached: the session has to be parted from its socket
    kSeen,  // it was appended before
    kGone,  // no such session any more, or it has no outbox
    kOver,  // not appended: far over its bound
  };
  Outcome outcome = Outcome::kGone;
  uint64_t out_seq = 0;  // its number; kSeen: the outbox's newest
};

struct ResumeRequest {
  xmpp::BareJid account;
  SessionRecord row;   // as it was looked up
  Owner owner;         // the new one; its epoch is given by Redis
  uint64_t generation = 0;
  uint32_t h = 0;      // the client's count
};

struct ResumeOutcome {
  enum class Kind {
    kResumed,
    kGone,     // no such session, or it cannot be resumed
    kTooHigh,  // h counts more than was sent: `last`
    kTooLow,   // h counts less than was confirmed before
  } kind = Kind::kGone;
  SessionRecord record;   // as it stands now
  SessionRecord before;   // whose owner may still hold a socket
  uint64_t committed = 0;  // in_seq
  uint64_t base = 0;       // in_seq of <enable/>
  uint64_t confirmed = 0;  // out_seq: the client's h
  uint64_t last = 0;       // out_seq of the newest entry
  std::chrono::milliseconds resumption{0};
  std::vector<std::string> directed;
};

// One per loop; uses the loop's Redis client. Every call may end with kUnknown, and may then be
// repeated: each script recognises its own repetition.
class Outbox {
 public:
  struct Limits {
    uint32_t stanzas = 2000;    // a quarter more is still taken, see AppendResult::kFull
    uint32_t bytes = 4 << 20;
    std::chrono::milliseconds remember{900000};  // effects; longer than any resumption time
  };
  Outbox(runtime::RedisClient* redis, Limits limits) : redis_(redis), limits_(limits) {}

  // The newest generation: no number is given to what its manager has not announced under it.
  void SetGeneration(uint64_t generation) { generation_ = generation; }

  // One script for all targets, which are sessions of `account`. Results stand as the targets do.
  using Appended = absl::AnyInvocable<void(runtime::Result<std::vector<AppendResult>>)>;
  void Append(const xmpp::BareJid& account, const OutboxOrigin& origin, const OutboxEntry& entry,
              const std::vector<OutboxTarget>& targets, Appended done);

  // Whether any session of the account was given this effect of a session, be it gone since.
  runtime::Task<runtime::Result<bool>> WasSeen(xmpp::BareJid account, OutboxOrigin origin,
                                               std::string effect);

  enum class Commit { kDone, kFenced, kNoOutbox };
  // Everything of the session up to `in_seq` is committed, its client has confirmed up to
  // `confirmed`; 0 = nothing new.
  void CommitTo(const xmpp::FullJid& full, const SessionRecord& row, uint64_t in_seq,
                uint64_t confirmed, absl::AnyInvocable<void(runtime::Result<Commit>)> done);

  // <enable/> with number `in_seq`: gives the session an outbox. `resumption` 0: none.
  runtime::Task<runtime::Result<bool>> Enable(xmpp::FullJid full, SessionRecord row,
                                              uint64_t in_seq,
                                              std::chrono::milliseconds resumption);

  // The socket is gone; the row stays until the deadline.
  enum class Hibernation { kDone, kFenced, kNotResumable };
  runtime::Task<runtime::Result<Hibernation>> Hibernate(xmpp::FullJid full,
                                                        SessionRecord row,
                                                        std::chrono::milliseconds at_most);

  // kFailed also when the row is of a newer generation than `generation`.
  runtime::Task<runtime::Result<ResumeOutcome>> Resume(ResumeRequest request);

  // Behind SessionRegistry::Announce, for a session with stream management. nullopt: fenced.
  struct Announced {
    uint64_t committed = 0, last = 0;
  };
  runtime::Task<runtime::Result<std::optional<Announced>>> Announce(
      xmpp::FullJid full, SessionRecord row, uint64_t accepted, uint64_t written,
      uint64_t base, std::chrono::milliseconds resumption);

  // What the outbox holds from number `from` on, as far as it fits; one entry at least.
  struct Pulled {
    uint64_t first = 0;  // number of the first entry
    uint64_t last = 0;   // of the outbox
    std::vector<OutboxEntry> entries;
  };
  runtime::Task<runtime::Result<std::optional<Pulled>>> Pull(xmpp::FullJid full,
                                                             SessionRecord row, uint64_t from,
                                                             uint32_t stanzas, uint32_t bytes);

  // --- what is over

  // A session to be looked at: hibernated, or ended with an outbox.
  struct Due {
    std::string account, session, resource;  // session: 16 bytes
  };
  // Puts a hint; `at_ms`: wall clock.
  void PutDue(const Due& due, uint64_t at_ms, absl::AnyInvocable<void(bool)> done);
  // What is due in `bucket`, each put off by `lease`: whoever takes it and dies leaves it to others.
  runtime::Task<runtime::Result<std::vector<Due>>> TakeDue(int bucket, uint64_t now_ms,
                                                           uint64_t lease_end_ms, uint32_t most);
  void DropDue(const Due& due, uint64_t lease_end_ms);

  // Ends the session if it hibernates and its time is over (`now`: whatever its state). Exactly one
  // of this and Resume succeeds. `ended` also if it ended before and its outbox is still there.
  struct Expiry {
    std::optional<SessionRecord> ended;
    uint64_t left_ms = 0;  // its time is not over yet
  };
  runtime::Task<runtime::Result<Expiry>> Expire(Due due, bool now);
  // All that an ended session's outbox holds.
  runtime::Task<runtime::Result<std::vector<OutboxEntry>>> Read(Due due);
  // It was dealt with. `sm_id`: what its client would resume it by.
  runtime::Task<runtime::Result<void>> Forget(Due due, std::string sm_id);
  // h of a session that is over, if that is still known.
  runtime::Task<runtime::Result<std::optional<uint32_t>>> LastH(xmpp::BareJid account,
                                                                std::string sm_id);

  const Limits& limits() const { return limits_; }

 private:
  runtime::RedisClient* const redis_;
  const Limits limits_;
  uint64_t generation_ = 0;
};

// Which bucket of hints a session is in.
int DueBucket(const std::string& account);
uint64_t WallClockMs();

}  // namespace cluster
