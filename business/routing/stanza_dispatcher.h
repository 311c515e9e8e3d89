// From a submitted stanza to what is done with it. The only place that answers what nobody claims,
// what is malformed, and what may not be sent (RFC 6120 §8, §10; RFC 6121 §8).
#pragma once

#include "business/feature.h"
#include "business/routing/address.h"
#include "business/session/session.h"
#include "business/session/stanza_sink.h"
#include "business/session/submission.h"
#include "lib/xmpp/stanza.h"

namespace business {

// What knows presence; above routing.
class PresenceHandler {
 public:
  virtual ~PresenceHandler() = default;
  virtual SubmissionPtr OnPresence(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                                   Address address, const cluster::ClusterId& id) = 0;
};

// One per loop, lives on it.
class StanzaDispatcher final : public StanzaSink {
 public:
  StanzaDispatcher(Shard* shard, PresenceHandler* presence) : shard_(shard), presence_(presence) {}

  void Submit(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza) override;

 private:
  cluster::ClusterId IdOf(const Session& session, uint64_t in_seq, const xmpp::Stanza& stanza);
  SubmissionPtr Route(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza);
  SubmissionPtr RouteMessage(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                             Address address, const cluster::ClusterId& id);
  SubmissionPtr RouteIq(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza,
                        Address address, const cluster::ClusterId& id);

  Shard* const shard_;
  PresenceHandler* const presence_;
};

// A stanza that is answered with an error, or dropped where the RFC forbids to answer.
SubmissionPtr Refused(const SessionPtr& session, uint64_t in_seq, const xmpp::Stanza& stanza,
                      std::string_view from, const xmpp::StanzaError& error,
                      const cluster::ClusterId& id);
SubmissionPtr Dropped(const SessionPtr& session, uint64_t in_seq, std::string_view reason);

}  // namespace business
