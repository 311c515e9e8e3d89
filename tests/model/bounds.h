// How far the model goes, and which rule it breaks on purpose.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace model {

// One broken rule each; kNone is the protocol as designed. README.md says where each rule lives.
enum class Mutant : uint8_t {
  kNone,
  kAckWhenSubmitted,         // R1: the manager acknowledges by itself
  kAckBeforeCommit,          // R1: told before Redis has it
  kNoSqlBeforeAccept,        // R1: class D is in Redis only
  kNoSeen,                   // R2: an effect that comes again is not recognised
  kSeenForgetsCommitted,     // R2: effects of committed numbers are forgotten, late ones appended
  kSeenByOrigin,             // R2: what came by offline storage is not compared with what came directly
  kSeenBySession,            // R2: an effect repeated after a login comes to the new session
  kNoSecondLook,             // R2: nobody looks again after the offline row was written
  kReadBeforeAvailable,      // R2: offline rows are read before the account counts as available
  kOfflineRowRemovedFirst,   // R2: the row is removed before the outbox has the message
  kOfflineRowStays,          // R2: who repeats and finds somebody leaves the first try's offline row
  kRemoveByEffect,           // R2: who has read an offline row removes it even if it was put anew
  kResumeKeepsEpoch,         // R3: resumption does not raise the epoch
  kAppendUnchecked,          // R3: appended to a session that is no more
  kCommitUnfenced,           // R3: a former owner's commit counts
  kPullUnfenced,             // R3: a former owner is given entries
  kBlindRepeat,              // R4: a resumption asked again is numbered anew
  kGapAccepted,              // R5: a stanza is taken that is not the successor
  kNoTurnCheck,              // R5: what an older turn finishes counts for the newer
  kLatePresence,             // R6: presence that comes late replaces what is newer
  kPushIsTruth,              // outbox: a push is written whatever its number
  kTrimWhenWritten,          // outbox: what is written counts as confirmed
  kRenumberBeforeTrim,       // outbox: superseded presence is dropped before h is counted
  kRenumberWithGaps,         // outbox: dropped numbers stay empty
  kResumeAfterEnd,           // end: resumption does not look at the row
  kFlushBeforeEnd,           // end: offline before the session has ended
  kForgetBeforeOffline,      // end: the outbox is gone before offline storage has it
  kErrorTwice,               // R9: the error for an unconfirmed iq has no effect id
  kErrorForConfirmed,        // R9: an iq that is handled again is answered as if for the first time
  kNoRedelivery,             // R10: what lies behind the mark is not given again
  kMarkWhenAppended,         // R10: the mark moves before the client has confirmed
  kSeenOutlivesOutbox,       // R10: what Redis lost is given again, and dropped as seen
  kNoGeneration,             // R11: epochs begin again with an empty Redis
  kAnnounceForgetsAccepted,  // R11: the record does not take the accepted number
  kAnnounceForgetsWritten,   // R11: the record does not take the written number
  kScriptsBeforeCheck,       // R11: scripts run on a Redis whose generation was not looked at yet
  kAppendBeforeAnnounced,    // R11: appended to a row not announced since Redis lost something
  kPushOfOldGeneration,      // R11: a push from before the loss is written under the new numbers
  kAnnounceOverNewer,        // R11: an announcement replaces a row of a newer epoch
  kCount,
};

std::string_view MutantName(Mutant mutant);

struct Bounds {
  std::string name;
  // What the sender sends, in order: D message, I iq for the recipient's session, V presence.
  std::string stanzas = "DD";
  int sender_connections = 2, recipient_connections = 2;  // in all, the first ones included
  int recipient_sessions = 1;
  // How often, at most:
  int sockets = 0, managers = 0, servers = 0, links = 0, wipes = 0, restores = 0;
  int repeats = 0;        // scripts run again after an unknown outcome
  int window = 2;         // stanzas not yet accepted
  bool time_out = false;  // hibernation may end
  Mutant mutant = Mutant::kNone;
  bool Broken(Mutant m) const { return mutant == m; }
};

// What every run of the tests goes through, and the larger ones of `./xylem test model`.
std::vector<Bounds> UsualBounds();
std::vector<Bounds> LargeBounds();
// Those of the usual ones in which this mutant shows itself, with the mutant in them.
Bounds BoundsThatCatch(Mutant mutant);

}  // namespace model
