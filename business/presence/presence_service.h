// What sessions say of their presence, and what is said when they are gone (RFC 6121 §4).
#pragma once

#include <string>
#include <vector>

#include "business/routing/stanza_dispatcher.h"
#include "business/session/session_events.h"

namespace business {

// One per loop, lives on it. There are no rosters yet: presence goes to the account's own resources
// and to those whom a client addresses.
class PresenceService final : public PresenceHandler, public SessionEvents {
 public:
  // A presence stanza stands in the registry row that every look-up of the account reads.
  static constexpr size_t kMaxPresenceBytes = 16 * 1024;

  explicit PresenceService(Shard* shard) : shard_(shard) {}

  SubmissionPtr OnPresence(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                           Address address, const cluster::ClusterId& id) override;
  void OnSessionEnded(const xmpp::BareJid& account, const cluster::SessionRecord& row,
                      const std::vector<std::string>& directed) override;

 private:
  SubmissionPtr Broadcast(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                          const cluster::ClusterId& id);
  SubmissionPtr Directed(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                         Address address, const cluster::ClusterId& id);
  SubmissionPtr Probe(const SessionPtr& session, uint64_t in_seq, const xmpp::Stanza& stanza,
                      const Address& address, const cluster::ClusterId& id);

  Shard* const shard_;
};

}  // namespace business
