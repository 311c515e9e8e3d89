// What Redis does in one step, as lib/cluster/session_scripts.cc and outbox_scripts.cc have it.
#pragma once

#include "tests/model/bounds.h"
#include "tests/model/world.h"

namespace model {

// An owner: epoch and connection (which stands for manager and incarnation, too).
struct Owner {
  uint8_t epoch, connection;
};
inline bool Owns(const Row& row, Owner owner) {
  return row.exists && row.epoch == owner.epoch && row.connection == owner.connection;
}
inline bool NewerStands(const Row& row, Owner owner) {
  return row.exists && row.epoch > owner.epoch;
}

// Epochs: generation above, counter below.
uint8_t NextEpoch(const Bounds& bounds, Row& row, uint8_t generation);

// kBindScript and kEnableScript for the recipient's client; a row that stands goes to `ending`.
void BindScript(const Bounds& bounds, Redis& redis, uint8_t generation, uint8_t session,
                uint8_t connection);

// kElsewhere: it was dealt with, and is not in this outbox.
enum class Appended { kOk, kSeen, kElsewhere, kGone };
struct Effect {
  uint8_t stanza;
  bool server;        // its origin is the server, not the sender's session
  uint8_t settled;    // of the origin: what it has committed
  bool presence;
  uint8_t generation;  // newest one that the server knows
  bool settled_down;   // all that live were announced under it
};
Appended AppendScript(const Bounds& bounds, Redis& redis, const Effect& effect, uint8_t session);

// False: fenced, or no such session.
bool CommitScript(const Bounds& bounds, Redis& redis, Owner owner, uint8_t in_seq);
// Drops what is confirmed; the stanzas that this confirmed are given back as bits.
uint8_t TrimScript(Redis& redis, Owner owner, uint8_t number);

enum class Resumption { kResumed, kGone, kHigh, kLow };
Resumption ResumeSender(const Bounds& bounds, Redis& redis, uint8_t generation, uint8_t connection);
Resumption ResumeRecipient(const Bounds& bounds, Redis& redis, uint8_t generation, uint8_t session,
                           uint8_t connection, uint8_t h, uint8_t* confirmed);

// kAnnounceScript; false: fenced.
bool AnnounceRow(const Bounds& bounds, Row& row, Owner owner, uint8_t session, uint8_t generation);
// kAnnounceOutboxScript; `stood`: Redis still had the session and its outbox.
void AnnounceOutbox(const Bounds& bounds, Redis& redis, bool stood, uint8_t written);

void ExpireScript(Redis& redis);

// What is written for the entry with this number. 0: there is none.
uint8_t StanzaAt(const Outbox& out, int number);

}  // namespace model
