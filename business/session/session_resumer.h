// <resume/> (XEP-0198 §5): a session goes on at another connection, of whatever manager.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "business/link/manager_links.h"
#include "business/session/pending_by_connection.h"
#include "business/session/session_ticket.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/task.h"

namespace business {

class SessionEnder;
struct Shard;

// What <enabled/> gives the client to resume by: a keyed hash, so that the session's own id stays
// with us, and the same on every server.
std::string StreamManagementId(const Shard& shard, const xmpp::BareJid& account,
                               const std::string& session);

// One per loop, lives on it.
class SessionResumer {
 public:
  SessionResumer(Shard* shard, SessionEnder* ender) : shard_(shard), ender_(ender) {}

  // Answers BOUND with <resumed/>, CONTINUE with <failed/>, or CLOSE.
  void Resume(const ManagerLinkPtr& link, uint64_t connection, std::string_view element,
              OpenedTicket identity);

  // Nobody waits for the answer any more: what was resumed hibernates again.
  void Abandon(const ManagerLink* link, uint64_t connection) { pending_.Abandon(link, connection); }
  void AbandonLink(const ManagerLink* link) { pending_.AbandonLink(link); }

 private:
  struct Pending {
    ManagerLinkPtr link;
    uint64_t connection = 0;
    OpenedTicket identity;
    std::string previd;
    uint32_t h = 0;
    bool abandoned = false;
  };
  using PendingPtr = std::shared_ptr<Pending>;

  runtime::Task<void> Run(PendingPtr pending);
  // nullopt: Redis did not answer in time, or nobody waits any more.
  runtime::Task<std::optional<cluster::ResumeOutcome>> Ask(PendingPtr pending);
  void Resumed(const Pending& pending, cluster::ResumeOutcome outcome);
  runtime::Task<void> RefuseGone(PendingPtr pending);
  void RefuseTooHigh(const Pending& pending, const cluster::ResumeOutcome& outcome);
  void Close(const Pending& pending, xmpp::StreamError error);

  Shard* const shard_;
  SessionEnder* const ender_;
  PendingByConnection<Pending> pending_;
};

}  // namespace business
