// Message archives (XEP-0313 with 0059, 0441 and 0431) and the mark of what was confirmed:
// a class-D message is committed by being here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

// Names a row to clients: the 16 bytes of its cluster id (cluster::ClusterId), of which stanza-id
// is the text.
using ArchiveId = std::string;

enum class ArchiveDirection : uint8_t { kOutgoing = 0, kIncoming = 1 };

// Row flags. Bits from kCallersFlags up are the caller's and are only carried.
inline constexpr uint32_t kArchiveTombstone = 1;  // set by Replace
inline constexpr uint32_t kCallersFlags = 1 << 8;

struct ArchiveEntry {
  xmpp::Jid owner;     // account, or a room
  std::string effect;  // cluster::EffectId, 18 bytes: once per archive (R2)
  xmpp::Jid with;      // the other side, with its resource where the stanza has one
  ArchiveDirection direction = ArchiveDirection::kIncoming;
  // Not archived by preference or hint: kept only until it is confirmed, in no answer to a query.
  bool hidden = false;
  uint32_t flags = 0;
  std::string bytes;      // canonical stanza with `from` and `to`
  std::string body;       // to be searched; empty: not
  std::string origin;     // R2's origin, opaque
  std::string origin_id;  // XEP-0359 origin-id, or the message's id: what XEP-0424 names it by
  int64_t stamp_ms = 0;   // 0: now. The row's is never before that of the row before (R12).
};

struct ArchivePlace {
  enum class Outcome { kDone, kRepeated, kNoOwner };
  Outcome outcome = Outcome::kDone;
  int64_t position = 0;  // from 1, ascending per archive. kRepeated: what was given then.
  int64_t stamp_ms = 0;  // milliseconds since the epoch
};

struct ArchiveRow {
  int64_t position = 0;
  int64_t stamp_ms = 0;
  std::string effect;
  xmpp::Jid with;
  ArchiveDirection direction = ArchiveDirection::kIncoming;
  bool hidden = false;
  uint32_t flags = 0;
  std::string bytes;
  std::string origin;
  std::string origin_id;

  ArchiveId id() const { return effect.substr(0, 16); }
};

inline constexpr uint32_t kArchivePage = 250;  // rows at most (tests/attacks, row 39), and `ids`

// Filters hold together. Positions are walked; ids only name rows (R12).
struct ArchiveQuery {
  xmpp::Jid with;  // empty: all. Without a resource: any resource. With one: exactly this.
  std::optional<int64_t> start_ms, end_ms;       // both inclusive
  std::optional<ArchiveId> after_id, before_id;  // 0313 §4.1.3: both exclusive
  std::vector<ArchiveId> ids;                    // not empty: only these, in archive order
  std::string text;  // XEP-0431: rows that hold every word of it, whatever case and diacritics

  // RSM (XEP-0059). Forward: the first rows behind `anchor`; backward: the last before it. No
  // anchor: from that end. A page is in archive order either way, unless flipped (0313 §4.3.1).
  bool backward = false;
  std::optional<ArchiveId> anchor;
  uint32_t max = 50;  // 0: no rows, to count
  bool flip = false;
  uint32_t count_up_to = 0;  // 0: do not count
};

struct ArchivePage {
  // One of after_id, before_id, anchor and ids names no row (0313 §4.3: item-not-found).
  bool item_not_found = false;
  std::vector<ArchiveRow> rows;
  bool complete = false;  // nothing behind the page in its direction
  // Rows that pass the filters; missing if not asked for, or more than count_up_to.
  std::optional<uint32_t> count;
};

struct ArchiveEnds {  // XEP-0313 metadata; missing: the archive is empty
  struct End {
    ArchiveId id;
    int64_t stamp_ms = 0;
  };
  std::optional<End> first, last;
};

struct ArchivePreferences {  // XEP-0441
  enum class Otherwise : uint8_t { kAlways = 0, kNever = 1, kRoster = 2 };
  Otherwise otherwise = Otherwise::kAlways;
  std::vector<xmpp::Jid> always, never;

  friend bool operator==(const ArchivePreferences&, const ArchivePreferences&) = default;
};

struct ArchiveMark {
  xmpp::Jid owner;
  int64_t position = 0;
};

struct ArchiveState {
  int64_t mark = 0;
  int64_t position = 0;  // of the newest row, whether it still stands or not; 0: none ever
};

// One per loop, as AccountStore; errors and unknown outcomes as there: after kUnknown, insert
// again.
class ArchiveStore {
 public:
  virtual ~ArchiveStore() = default;

  // One message into the archives of all whom it concerns, in one transaction. Places in the order
  // of the entries. A message to oneself is one entry.
  virtual runtime::Task<runtime::Result<std::vector<ArchivePlace>>> Insert(
      std::vector<ArchiveEntry> entries) = 0;

  // Of at most kArchivePage rows; a query that asks for more, by `max` or `ids`, is kFailed.
  // Searching for text may take several turns the first time: an archive's words are indexed when
  // somebody looks for some.
  virtual runtime::Task<runtime::Result<ArchivePage>> Query(xmpp::Jid owner,
                                                            ArchiveQuery query) = 0;
  virtual runtime::Task<runtime::Result<ArchiveEnds>> Ends(xmpp::Jid owner) = 0;
  // XEP-0424: the row that the sender named so; among the newest 10,000 with this contact.
  virtual runtime::Task<runtime::Result<std::optional<ArchiveRow>>> FindByOriginId(
      xmpp::Jid owner, xmpp::Jid with, ArchiveDirection direction, std::string origin_id) = 0;
  // XEP-0424 and 0425: what is left of a retracted message. Keeps position, stamp and id; sets
  // kArchiveTombstone; is not found by text any more. kMissing: no such row.
  enum class Change { kDone, kMissing };
  virtual runtime::Task<runtime::Result<Change>> Replace(xmpp::Jid owner, ArchiveId id,
                                                         std::string bytes) = 0;

  // The mark: every incoming row up to it was confirmed by some session. An outgoing row
  // behind which nothing is unconfirmed takes it along.
  virtual runtime::Task<runtime::Result<ArchiveState>> State(xmpp::Jid owner) = 0;
  // Each to the greater of what it is and what is given; the hidden rows up to it go. Unknown
  // owners are passed over. Answers how many hidden rows went.
  virtual runtime::Task<runtime::Result<uint32_t>> RaiseMarks(std::vector<ArchiveMark> marks) = 0;
  // Incoming rows behind `position`, hidden ones too, tombstones not; in order, at most `limit`.
  virtual runtime::Task<runtime::Result<std::vector<ArchiveRow>>> Unconfirmed(xmpp::Jid owner,
                                                                              int64_t position,
                                                                              uint32_t limit) = 0;

  virtual runtime::Task<runtime::Result<std::optional<ArchivePreferences>>> Preferences(
      xmpp::Jid owner) = 0;
  enum class Put { kDone, kNoOwner };
  virtual runtime::Task<runtime::Result<Put>> SetPreferences(xmpp::Jid owner,
                                                             ArchivePreferences preferences) = 0;

  // At once out of sight, removed by Sweep; so it is with a removed owner's archive. Positions,
  // stamps and the mark go on. kMissing: nothing was there.
  virtual runtime::Task<runtime::Result<Change>> Erase(xmpp::Jid owner) = 0;
  // Removes at most `limit` rows: of archives that were erased, and of any that are older than
  // `before_ms` (0: none), confirmed or not. Answers how many; fewer than `limit`: all is done.
  // In steps, because every writer of the host waits for each.
  virtual runtime::Task<runtime::Result<uint32_t>> Sweep(int64_t before_ms, uint32_t limit) = 0;
};

}  // namespace business
