// Ends sessions: what a closed socket, a bind that came to nothing and a lost row have in common.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "business/session/session.h"
#include "lib/cluster/session_record.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct OpenedTicket;

// One per loop, lives on it.
class SessionEnder {
 public:
  explicit SessionEnder(Shard* shard);
  ~SessionEnder();

  // The socket is gone. Ends the session once everything up to `last_in_seq` is accepted, or when
  // that takes too long; the manager is told Ended. `resumable`: if it has stream management it
  // hibernates instead. Repetitions change nothing.
  void Close(const SessionPtr& session, uint64_t last_in_seq, bool resumable);
  // A session that was closed while it was being announced goes on here.
  void BeginEnding(const SessionPtr& session);
  // The same for a session that is not known here: its ticket says which row it is.
  // `client_acked`: out_seq that its client has confirmed.
  void CloseUnknown(const ManagerLinkPtr& link, OpenedTicket ticket, bool resumable,
                    uint64_t client_acked);

  // Removes the row of `record` if its owner still owns it, and tells who has to know. True: it is
  // certain that the row is gone. Tried as long as the link lives, and for a minute at least.
  runtime::Task<bool> EndRow(ManagerLinkPtr link, xmpp::BareJid account,
                             cluster::SessionRecord record, std::vector<std::string> directed);

 private:
  void EndIfDrained(const SessionPtr& session);
  void StartEnd(const SessionPtr& session);
  runtime::Task<void> End(SessionPtr session);
  runtime::Task<void> EndUnknown(ManagerLinkPtr link, OpenedTicket ticket, bool resumable,
                                 uint64_t client_acked);
  // True: it is certain that the session waits for its client, or that it is another owner's.
  runtime::Task<bool> Hibernate(ManagerLinkPtr link, xmpp::FullJid full,
                                cluster::SessionRecord record,
                                std::chrono::milliseconds resumption,
                                std::vector<std::string> directed);
  void Tell(const xmpp::BareJid& account, const cluster::SessionRecord& row,
            const std::vector<std::string>& directed);

  Shard* const shard_;
};

}  // namespace business
