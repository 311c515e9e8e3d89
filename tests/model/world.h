// One moment of the small cluster: bytes only, so that worlds are compared and hashed as memory.
#pragma once

#include <cstdint>
#include <cstring>

namespace model {

constexpr int kStanzas = 4;      // at most; stanza m has bit 1 << m
constexpr int kConnections = 3;  // of one client; connection c is on manager c % 2
constexpr int kServers = 2;
constexpr int kEntries = 5;
constexpr int kPipe = 2;  // stanzas in a socket
constexpr int kHints = 2;
constexpr int kSessions = 2;

// An entry or a written stanza: its number, and how it came.
constexpr uint8_t kNumber = 0x0f;
constexpr uint8_t kStored = 0x40;    // by offline storage or by an ended session: may be out of order
constexpr uint8_t kPresence = 0x80;  // class V: in an outbox without its number

// lib/cluster/outbox_scripts.h: out, sm, shown.
struct Outbox {
  uint8_t exists, t, n;
  uint8_t entry[kEntries];
  uint8_t shown_at, shown;  // of the one `from`: number of the newest entry, stanza
  int last() const { return t + n; }
};

struct Row {
  uint8_t exists, session, epoch, connection, hibernated, available, counter;
  uint8_t generation;   // under which it was bound, resumed or announced
  uint8_t not_resumed;  // its numbers are not those that its client counts
};

struct Redis {
  Row sender;
  uint8_t sender_sm, sender_in;  // has its hash; committed in_seq
  Row recipient;
  Outbox out;    // of the recipient's row
  Outbox ended;  // `ending`: of a session that is over
  uint8_t ended_session;
  uint8_t seen[kSessions];         // effects of the sender's session
  uint8_t seen_server[kSessions];  // of the server itself
  uint8_t settled;                 // up to here the sender's session said that it had committed
};

struct Sql {
  uint8_t generation, rows, offline, confirmed;  // confirmed: the mark
  uint8_t errors;                                // answers to iqs that were made
  uint8_t row[kStanzas + 1];                     // number of each offline row, new each time
};

// A connection as its manager knows it.
enum Socket : uint8_t { kNoConnection, kOpen, kSocketGone };
struct SenderConnection {
  uint8_t socket, epoch, submitted, accepted, turn, home, announced;
};
struct RecipientConnection {
  uint8_t socket, epoch, session, written, confirmed, announced;
  uint8_t pipe_size, pipe[kPipe];
};

// A business server: the sender's session as it knows it, and the stanza that is under way, which
// may be one of a session that it has forgotten meanwhile.
enum Step : uint8_t {
  kIdle,
  kChecked,  // begun: the session owned its row
  kInSql,
  kLookedUp,
  kNobody,   // nobody was there when it looked
  kOffline,  // the offline row is written
  kSentAfterAll,
};
struct Server {
  uint8_t knows, connection, epoch, turn, taken, done, committed;
  uint8_t step, stanza, target, row, job_connection, job_epoch, job_turn, job_committed;
};

// A push on its way.
struct Hint {
  uint8_t used, connection, epoch, number, stanza, generation;
};

enum Client : uint8_t { kAway, kConnected, kResuming, kOver };
struct Sender {
  uint8_t state, connection, sent, next, h, used;
  // kResuming: the script ran; by whom; what it said, in which generation.
  uint8_t asked, server, answer, epoch, generation;
};
struct Recipient {
  uint8_t state, connection, session, h, used;
  uint8_t asked, server, epoch, generation;
  uint8_t got, got_here, newest, presence;  // of messages: ever, in this session
  uint8_t coming, reading, row;             // how its becoming available goes
};
enum Coming : uint8_t { kThere, kReadEarly, kBound, kAvailable, kRead, kGiven };
// How far whoever deals with an ended outbox is with the entry at hand.
enum Sweep : uint8_t { kSweepLooks, kSweepNobody, kSweepStored, kSweepInHand };

struct Budget {
  uint8_t sockets, managers, servers, links, wipes, restores, repeats;
};

struct World {
  Redis redis, copy;
  uint8_t has_copy, lost, owed;  // Redis lost something, not yet noticed; not yet given again
  Sql sql;
  SenderConnection from[kConnections];
  RecipientConnection to[kConnections];
  Server server[kServers];
  Hint hint[kHints];
  Sender sender;
  Recipient recipient;
  uint8_t sweep_at, sweep, sweep_early;
  Budget budget;
  // What no process knows: who wrote last, which sessions ended, what was bounced how often …
  uint8_t sender_epoch, sender_writer, recipient_epoch, recipient_writer;
  uint8_t over[kSessions], bounced[kStanzas + 1], confirmed, was_stored;
  uint8_t wrong;  // which invariant the last step broke

  friend bool operator==(const World& a, const World& b) {
    return std::memcmp(&a, &b, sizeof(World)) == 0;
  }
};
static_assert(alignof(World) == 1, "no padding: compared as memory");

inline uint8_t Bit(int stanza) { return static_cast<uint8_t>(1u << stanza); }
inline uint8_t Without(uint8_t mask, int stanza) { return static_cast<uint8_t>(mask & ~Bit(stanza)); }

}  // namespace model
