// Sessions that managers announce: re-homed, or in need of a row under a new Redis generation
// (R11).
#pragma once

#include <cstdint>
#include <deque>

#include "business/link/manager_links.h"
#include "business/session/session.h"
#include "lib/runtime/task.h"

namespace business {

class SessionEnder;

// One per loop, lives on it. A manager may announce all its sessions at once: they run side by
// side, as many as leave the stanzas' look-ups room in the Redis client's queue.
class SessionAnnouncer {
 public:
  SessionAnnouncer(Shard* shard, SessionEnder* ender) : shard_(shard), ender_(ender) {}

  // Answers Accepted and Ticket, or Fenced; not at all while Redis does not answer.
  void OnAnnounce(const ManagerLinkPtr& link, const xylem::v1::Announce& announce);

 private:
  enum class Outcome { kDone, kFenced, kTryAgain };

  // The session as it waits from now on; nullptr: it was fenced, or the announcement is an old one.
  SessionPtr Take(const ManagerLinkPtr& link, const xylem::v1::Announce& announce);
  void StartWaiting();
  runtime::Task<void> Run(SessionPtr session);
  static void NoteNumbers(Session& session, const xylem::v1::Announce& announce);
  runtime::Task<Outcome> Announce(SessionPtr session, uint64_t started_ms);
  runtime::Task<Outcome> AnnounceOutbox(SessionPtr session);
  void Announced(const SessionPtr& session);

  Shard* const shard_;
  SessionEnder* const ender_;
  std::deque<SessionPtr> waiting_;
  uint32_t under_way_ = 0;
};

}  // namespace business
