// What becomes of stanzas that a session left unconfirmed when it ended (docs/guarantees.md).
#pragma once

#include <string>
#include <vector>

#include "business/session/outbox_sweeper.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

// Lives on loop 0. Messages of class D go to the account's other sessions, else through the stage
// kNoResource (offline storage), else back to who wrote them. An iq get or set gets one error. What
// an archive, a version or the next presence covers is dropped.
class Undelivered final : public UndeliveredSink {
 public:
  explicit Undelivered(Shard* shard) : shard_(shard) {}

  runtime::Task<bool> OnUndelivered(xmpp::FullJid from,
                                    std::vector<cluster::OutboxEntry> entries) override;

 private:
  runtime::Task<bool> Message(xmpp::FullJid session, cluster::OutboxEntry entry);
  runtime::Task<bool> Bounce(xmpp::StanzaKind kind, xmpp::FullJid session,
                             cluster::OutboxEntry entry);

  Shard* const shard_;
};

}  // namespace business
