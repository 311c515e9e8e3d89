// Delivery to sessions with stream management: the outbox has to have it, the manager is only told.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "business/session/session.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/task.h"

namespace business {

// To one session whose home is here: no look-up. With stream management or without it. `done` is
// called once the manager has answered, or the session's outbox has it; not if the session is gone
// before. `to` is written in. `in_seq`: whose effect it is, of the session's submissions (R2); 0:
// the server's.
void DeliverToSession(Session& session, DeliverBody body, std::string to, std::string effect,
                      uint64_t in_seq, absl::AnyInvocable<void()> done);

// Effects of a submission of this session.
cluster::OutboxOrigin OriginOf(const Session& session, uint64_t in_seq);

// What outboxes of one account were given, on its way to the managers that hold the sessions. One
// that does not arrive is followed, later, by a word to whoever holds the session then.
class OutboxPush {
 public:
  OutboxPush(Shard* shard, const xmpp::BareJid& account) : shard_(shard), account_(account) {}
  // `appended`: now, under `out_seq`; else it was before, and whether its push arrived is not known:
  // the manager hears how far the outbox goes.
  void Add(const cluster::SessionRecord& row, DeliverTarget target, uint64_t out_seq,
           bool appended);
  void Send(DeliverBody body);

 private:
  struct Part {
    std::vector<DeliverTarget> targets;
    std::vector<std::string> sessions;
  };
  void Deliver(DeliverBody body, Part part);

  Shard* const shard_;
  const xmpp::BareJid& account_;
  Part pushed_, told_;
};

// Whoever tries a message again and finds somebody takes away what an earlier try put into offline
// storage: else it comes once more (tests/model, `offline_row_stays`).
runtime::Task<void> ForgetOfflineRow(Shard* shard, xmpp::BareJid account, std::string effect);

// What became of an outbox beyond its bounds: a session with a socket loses it, one without ends.
void PartFromFullOutbox(Shard* shard, const xmpp::BareJid& account,
                        const cluster::SessionRecord& row);

}  // namespace business
