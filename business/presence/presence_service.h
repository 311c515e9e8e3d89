// What sessions say of their presence, and what is said when they are gone (RFC 6121 §4).
#pragma once

#include <string>
#include <vector>

#include "business/presence/ended_sessions.h"
#include "business/routing/stanza_dispatcher.h"
#include "business/session/session_events.h"

namespace business {

// One per loop, lives on it.
class PresenceService final : public PresenceHandler, public SessionEvents {
 public:
  // A presence stanza stands in the registry row that every look-up of the account reads.
  static constexpr size_t kMaxPresenceBytes = 16 * 1024;

  // A request stands in the contact's roster until it is answered.
  static constexpr size_t kMaxRequestBytes = 4 * 1024;

  explicit PresenceService(Shard* shard) : shard_(shard), ended_(shard) {}

  SubmissionPtr OnPresence(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                           Address address, const cluster::ClusterId& id) override;
  void OnSessionEnded(const xmpp::BareJid& account, const cluster::SessionRecord& row,
                      const std::vector<std::string>& directed) override;

  // Nobody waits to be told that a session is over.
  bool IsIdle() const { return ended_.IsIdle(); }

 private:
  SubmissionPtr Broadcast(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                          const cluster::ClusterId& id);
  SubmissionPtr Directed(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                         Address address, const cluster::ClusterId& id);
  SubmissionPtr Probe(const SessionPtr& session, uint64_t in_seq, const xmpp::Stanza& stanza,
                      const Address& address, const cluster::ClusterId& id);

  SubmissionPtr Subscription(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                             const Address& address, const cluster::ClusterId& id);

  Shard* const shard_;
  EndedSessions ended_;
};

}  // namespace business
