// A bound resource, as its home knows it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "business/session/submission_queue.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

// Lives on its link's loop, owned by the SessionTable. Made by bind or from an announced ticket;
// never from what a manager merely says.
class Session : public std::enable_shared_from_this<Session> {
 public:
  enum class State : uint8_t {
    kAnnouncing,  // the registry has not said yet whether it is still the owner: stanzas wait
    kLive,
    kEnding,  // the socket is gone; what was submitted before is still handled
    kGone,    // forgotten, fenced or ended: no effect any more
  };

  Session(Shard* shard, ManagerLinkPtr link, xmpp::FullJid full, cluster::SessionRecord record,
          std::string mechanism);

  const xmpp::FullJid& full() const { return full_; }
  const xmpp::BareJid& account() const { return account_; }
  const ManagerLinkPtr& link() const { return link_; }
  Shard& shard() const { return *shard_; }
  uint64_t connection() const { return record.owner.connection; }
  cluster::Epoch epoch() const { return record.owner.epoch; }
  bool gone() const { return state == State::kGone; }
  // The epoch is the session's own for as long as it lives: an announcement keeps it.
  bool Is(cluster::Epoch epoch) const { return epoch == record.owner.epoch; }

  // Lets the queue go on; what became accepted is told at the end of the turn.
  void Pump();
  // No effect after this: fenced, ended, or forgotten with its link.
  void Leave();
  // Seals the session as it is now and gives it to the manager.
  void SendTicket();
  // Stream management: the outbox goes up to `out_seq`. The manager pulls what it misses.
  void TellNewest(uint64_t out_seq);

  State state = State::kLive;
  cluster::SessionRecord record;  // as it stands, or soon stands, in the registry
  std::string mechanism;
  SubmissionQueue queue;
  uint32_t turn = 0;  // of the newest announcement: what was submitted under an older one is dropped
  std::vector<std::string> directed;  // who got directed presence (RFC 6121 §4.6)

  // Stream management (XEP-0198), see SessionCommits. Without it what is finished is accepted.
  struct StreamManagement {
    uint64_t base = 0;  // in_seq of <enable/>: the wire's h counts from here
    std::chrono::milliseconds resumption{0};
    uint64_t committed = 0;  // in_seq, as Redis knows it
    uint64_t confirmed = 0;  // out_seq that the client has confirmed,
    uint64_t trimmed = 0;    // and that Redis knows of
    uint64_t written = 0;    // out_seq, as the manager announced it
    uint64_t last = 0;       // of the outbox, as of the announcement
    bool under_way = false;  // a commit is
  };
  bool managed() const { return (record.flags & cluster::kSessionStreamManagement) != 0; }
  StreamManagement sm;
  // Up to here the manager may hear that stanzas are accepted.
  uint64_t accepted() const { return managed() ? sm.committed : queue.accepted(); }

  // Ownership checks, see OwnershipGuard.
  uint64_t checks = 0;
  uint64_t check_turn = 0;
  uint64_t absent_since_ms = 0;
  bool recheck_armed = false;
  // Another session of the account has carbons on, as of the last check.
  bool copies_wanted = false;

  uint64_t resubmitted = 0;   // up to this in_seq, a home before this one may have done it already
  bool accept_soon = false;  // the newest Submit said that Accepted is waited for
  bool accepted_pending = false;  // is in the list of those that are told at the end of the turn

  // Offline messages (XEP-0160): taken since it became available; and up to where the client has
  // read its archive, whose messages it needs no second time.
  bool offline_taken = false;
  int64_t archive_read_ms = 0;   // stamp of the newest row it was given, 0: none
  std::string archive_read_ids;  // of the rows of that stamp, 16 bytes each

  // The last gap that was told, see SessionService.
  uint64_t gap_expected = 0;
  uint64_t gap_told_ms = 0;

  struct Announcement {
    uint64_t generation = 0;  // newest one that the manager knows
    uint32_t asked = 0;       // how often: one that comes while another runs is run again
    bool under_way = false;
  };
  Announcement announcement;  // see SessionAnnouncer

  // Set by SessionEnder.
  bool closed = false;            // the socket is gone: kEnding, or will be once it is announced
  bool resumable = false;         // closed: hibernates instead of ending
  bool ending_under_way = false;  // its row is being removed
  uint64_t last_in_seq = 0;       // closed: ends once this is accepted

 private:
  Shard* const shard_;
  ManagerLinkPtr link_;
  const xmpp::FullJid full_;
  const xmpp::BareJid account_;
};

using SessionPtr = std::shared_ptr<Session>;

}  // namespace business
