#include "business/presence/presence_service.h"

#include <utility>

#include "business/presence/directed_presence.h"
#include "business/presence/own_presence.h"
#include "business/presence/presence_priority.h"
#include "business/presence/presence_probe.h"
#include "business/presence/subscription_submission.h"
#include "business/routing/outside.h"
#include "business/routing/routed_stanza.h"
#include "business/routing/sender_reply.h"
#include "business/session/shard.h"

namespace business {
namespace {

using xmpp::StanzaError;
using xmpp::StanzaKind;
using xmpp::StanzaType;
using Kind = Address::Kind;

bool IsToServer(const Address& address) {
  return address.kind == Kind::kServer || address.kind == Kind::kServerResource;
}

}  // namespace

SubmissionPtr PresenceService::OnPresence(const SessionPtr& session, uint64_t in_seq,
                                          xmpp::Stanza stanza, Address address,
                                          const cluster::ClusterId& id) {
  if (address.kind == Kind::kOutside) {
    const StanzaError error = RouteOutside(*shard_, address.to.domain());
    // Leaving is not answered: the client could do nothing about it.
    if (stanza.type == StanzaType::kUnavailable) return Dropped(session, in_seq, "not_bounced");
    return Refused(session, in_seq, stanza, address.to.ToString(), error, id);
  }
  switch (stanza.type) {
    case StanzaType::kNone:
    case StanzaType::kUnavailable:
      if (address.kind == Kind::kNone) return Broadcast(session, in_seq, std::move(stanza), id);
      return Directed(session, in_seq, std::move(stanza), std::move(address), id);
    case StanzaType::kProbe:
      return Probe(session, in_seq, stanza, address, id);
    case StanzaType::kError:
      if (address.kind != Kind::kResource) return Dropped(session, in_seq, "error_to_nobody");
      return std::make_shared<RoutedStanza>(session, in_seq, std::move(stanza),
                                            std::move(address.to), id);
    default:
      return Subscription(session, in_seq, std::move(stanza), address, id);
  }
}

SubmissionPtr PresenceService::Subscription(const SessionPtr& session, uint64_t in_seq,
                                            xmpp::Stanza stanza, const Address& address,
                                            const cluster::ClusterId& id) {
  if (IsToServer(address)) return Dropped(session, in_seq, "to_server");
  // §3.1.1: it is the bare JID that is subscribed to, whatever the client writes.
  SubscriptionStanza subscription{stanza.type, session->account(), *xmpp::BareJid::From(address.to),
                                  std::move(stanza.bytes), id};
  if (subscription.to == subscription.from) return Dropped(session, in_seq, "to_oneself");
  if (subscription.bytes.size() > kMaxRequestBytes) {
    return Refused(session, in_seq, stanza, subscription.to.ToString(),
                   StanzaError::PolicyViolation("the request is too big"), id);
  }
  return std::make_shared<SubscriptionSubmission>(session, in_seq, std::move(subscription),
                                                  std::move(stanza.id));
}

SubmissionPtr PresenceService::Broadcast(const SessionPtr& session, uint64_t in_seq,
                                         xmpp::Stanza stanza, const cluster::ClusterId& id) {
  const std::string& account = session->account().ToString();
  if (stanza.bytes.size() > kMaxPresenceBytes) {
    return Refused(session, in_seq, stanza, account,
                   StanzaError::PolicyViolation("presence is too big"), id);
  }
  const bool available = stanza.type == StanzaType::kNone;
  const auto priority = available ? PriorityOf(stanza) : 0;
  if (!priority) {
    return Refused(session, in_seq, stanza, account,
                   StanzaError::BadRequest("priority is a number from -128 to 127"), id);
  }
  // Taken now, in the order of submission: who is shown presence behind this stanza is not told of
  // it.
  std::vector<std::string> directed;
  if (!available) directed.swap(session->directed);
  return std::make_shared<OwnPresence>(session, in_seq, std::move(stanza), *priority,
                                       std::move(directed), id);
}

SubmissionPtr PresenceService::Directed(const SessionPtr& session, uint64_t in_seq,
                                        xmpp::Stanza stanza, Address address,
                                        const cluster::ClusterId& id) {
  if (IsToServer(address)) return Dropped(session, in_seq, "to_server");
  const std::string& to = address.to.ToString();
  if (stanza.type == StanzaType::kUnavailable) {
    ForgetDirected(*session, to);
  } else if (!RememberDirected(*session, to)) {
    return Refused(session, in_seq, stanza, to,
                   StanzaError::ResourceConstraint("too many directed presences"), id);
  }
  return std::make_shared<RoutedStanza>(session, in_seq, std::move(stanza), std::move(address.to),
                                        id);
}

SubmissionPtr PresenceService::Probe(const SessionPtr& session, uint64_t in_seq,
                                     const xmpp::Stanza& stanza, const Address& address,
                                     const cluster::ClusterId& id) {
  if (IsToServer(address)) return Dropped(session, in_seq, "to_server");
  return std::make_shared<PresenceProbe>(session, in_seq, address.to, stanza.id, id);
}

void PresenceService::OnSessionEnded(const xmpp::BareJid& account,
                                     const cluster::SessionRecord& row,
                                     const std::vector<std::string>& directed) {
  ended_.Add(account, row, directed);
}

}  // namespace business
