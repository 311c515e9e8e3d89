// Resource binding (RFC 6120 §7): from the iq to a row in the registry and a session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "business/link/manager_links.h"
#include "business/session/pending_by_connection.h"
#include "business/session/session_ticket.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

class SessionEnder;
struct Shard;

// One per loop, lives on it. A bind under way belongs to its link and connection; when either goes
// before the answer comes, the row that came of it is removed again.
class SessionBinder {
 public:
  struct Options {
    uint32_t max_resources = 50;
    bool replace = true;  // a resource that is bound already: replace the old session, or refuse
  };
  SessionBinder(Shard* shard, SessionEnder* ender, Options options)
      : shard_(shard), ender_(ender), options_(options) {}

  // Answers BOUND, with the session's ticket, or CONTINUE with an iq error. `identity`: who
  // authenticated.
  void Bind(const ManagerLinkPtr& link, uint64_t connection, std::string_view iq,
            OpenedTicket identity);

  void Abandon(const ManagerLink* link, uint64_t connection) { pending_.Abandon(link, connection); }
  void AbandonLink(const ManagerLink* link) { pending_.AbandonLink(link); }

 private:
  struct Pending {
    ManagerLinkPtr link;
    uint64_t connection = 0;
    OpenedTicket identity;
    std::string iq_id;
    cluster::BindRequest request;
    bool abandoned = false;
    bool unsure = false;  // some attempt's outcome is not known
  };
  using PendingPtr = std::shared_ptr<Pending>;

  runtime::Task<void> Run(PendingPtr pending);
  // nullopt: Redis did not answer in time, or nobody waits any more.
  runtime::Task<std::optional<cluster::BindOutcome>> Ask(PendingPtr pending);
  runtime::Task<void> RemoveGhost(PendingPtr pending);
  runtime::Task<void> EndBound(PendingPtr pending, cluster::SessionRecord row);
  void Replaced(const Pending& pending, const cluster::SessionRecord& old);
  void Bound(const Pending& pending, cluster::SessionRecord row);
  void Refuse(const Pending& pending, const xmpp::StanzaError& error);

  Shard* const shard_;
  SessionEnder* const ender_;
  const Options options_;
  PendingByConnection<Pending> pending_;
};

}  // namespace business
