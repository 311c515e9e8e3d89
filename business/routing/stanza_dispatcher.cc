#include "business/routing/stanza_dispatcher.h"

#include <utility>

#include "business/routing/enable_stanza.h"
#include "business/routing/feature_set.h"
#include "business/routing/outside.h"
#include "business/routing/routed_stanza.h"
#include "business/routing/sender_reply.h"
#include "business/routing/server_iq.h"
#include "business/routing/server_request.h"
#include "business/routing/stanza_reply.h"
#include "business/session/ownership_guard.h"
#include "business/session/shard.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::StanzaError;
using xmpp::StanzaKind;
using xmpp::StanzaType;
using Kind = Address::Kind;

// tests/attacks, row 29: somebody else's address closes the stream; one's own is overwritten.
bool ClaimsAnother(const Session& session, const xmpp::Stanza& stanza) {
  return !stanza.from.empty() && stanza.from != session.full().ToString() &&
         stanza.from != session.account().ToString();
}

}  // namespace

SubmissionPtr Refused(const SessionPtr& session, uint64_t in_seq, const xmpp::Stanza& stanza,
                      std::string_view from, const StanzaError& error,
                      const cluster::ClusterId& id) {
  if (!MayBeBounced(stanza)) return Dropped(session, in_seq, "not_bounced");
  session->shard().metrics->CountError(error.condition);
  return std::make_shared<AnsweredStanza>(session, in_seq, stanza.kind,
                                          WriteError(stanza.kind, stanza.id, from, error), id);
}

SubmissionPtr Dropped(const SessionPtr& session, uint64_t in_seq, std::string_view reason) {
  session->shard().metrics->CountDrop(reason);
  return std::make_shared<AnsweredStanza>(session, in_seq, StanzaKind::kMessage, std::string(),
                                          cluster::ClusterId{});
}

void StanzaDispatcher::Submit(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza) {
  shard_->metrics->StanzasIn(stanza.kind).Add();
  SubmissionPtr submission = Route(session, in_seq, std::move(stanza));
  submission->check = shard_->guard->Require(session);
  session->queue.Push(std::move(submission));
  session->Pump();
}

// What the cluster id is made of. COMPAT(@xmpp/client, 2025): what it sends again after a resumption has a
// <delay/> that it did not have before; it is the same stanza all the same (R2).
cluster::ClusterId StanzaDispatcher::IdOf(const Session& session, uint64_t in_seq,
                                          const xmpp::Stanza& stanza) {
  const std::string& origin = session.record.session;
  if ((stanza.flags & xmpp::kHasDelay) != 0) {
    if (auto element = xmpp::Element::Parse(stanza.bytes)) {
      element->RemoveIf([](const xmpp::Element& child) { return child.ns() == xmpp::ns::kDelay; });
      return shard_->ids->Make(origin, in_seq, stanza.to, element->Write());
    }
  }
  return shard_->ids->Make(origin, in_seq, stanza.to, stanza.bytes);
}

SubmissionPtr StanzaDispatcher::Route(const SessionPtr& session, uint64_t in_seq,
                                      xmpp::Stanza stanza) {
  const cluster::ClusterId id = IdOf(*session, in_seq, stanza);
  if (stanza.kind == StanzaKind::kNonza && stanza.payload_ns == xmpp::ns::kSm &&
      stanza.payload_name == "enable") {
    return std::make_shared<EnableStanza>(session, in_seq, stanza, id);
  }
  if (stanza.kind == StanzaKind::kNonza) {
    session->link()->SendClose(session->connection(), session->epoch(),
                               {xmpp::StreamCondition::kUnsupportedStanzaType, {}, {}});
    return Dropped(session, in_seq, "unsupported_stanza_type");
  }
  switch (stanza.verdict) {
    case xmpp::Verdict::kOk:
      break;
    case xmpp::Verdict::kBadRequest:
      return Refused(session, in_seq, stanza, session->account().ToString(),
                     StanzaError::BadRequest(), id);
    case xmpp::Verdict::kJidMalformed:
      // The address cannot be given back in `from`: no reader would take it.
      return Refused(session, in_seq, stanza, session->account().ToString(),
                     StanzaError::JidMalformed(), id);
  }
  if (ClaimsAnother(*session, stanza)) {
    session->link()->SendClose(session->connection(), session->epoch(),
                               {xmpp::StreamCondition::kInvalidFrom, {}, {}});
    return Dropped(session, in_seq, "invalid_from");
  }
  Address address = AddressOf(*shard_, stanza, session->account());
  switch (stanza.kind) {
    case StanzaKind::kMessage:
      return RouteMessage(session, in_seq, std::move(stanza), std::move(address), id);
    case StanzaKind::kIq:
      return RouteIq(session, in_seq, std::move(stanza), std::move(address), id);
    default:
      return presence_->OnPresence(session, in_seq, std::move(stanza), std::move(address), id);
  }
}

SubmissionPtr StanzaDispatcher::RouteMessage(const SessionPtr& session, uint64_t in_seq,
                                             xmpp::Stanza stanza, Address address,
                                             const cluster::ClusterId& id) {
  const std::string& to = address.to.ToString();
  switch (address.kind) {
    case Kind::kServer:
    case Kind::kServerResource:
      if (stanza.type == StanzaType::kHeadline) return Dropped(session, in_seq, "to_server");
      return Refused(session, in_seq, stanza, to, StanzaError::ServiceUnavailable(), id);
    case Kind::kOutside:
      return Refused(session, in_seq, stanza, to, RouteOutside(*shard_, address.to.domain()), id);
    case Kind::kNone:  // RFC 6120 §10.3.1: as if it went to the sender's bare JID
    case Kind::kAccount:
    case Kind::kResource:
      break;
  }
  return std::make_shared<RoutedStanza>(session, in_seq, std::move(stanza), std::move(address.to),
                                        id);
}

SubmissionPtr StanzaDispatcher::RouteIq(const SessionPtr& session, uint64_t in_seq,
                                        xmpp::Stanza stanza, Address address,
                                        const cluster::ClusterId& id) {
  const bool request = stanza.type == StanzaType::kGet || stanza.type == StanzaType::kSet;
  Addressee addressee = Addressee::kServer;
  switch (address.kind) {
    case Kind::kOutside:
      return Refused(session, in_seq, stanza, address.to.ToString(),
                     RouteOutside(*shard_, address.to.domain()), id);
    case Kind::kResource:
      return std::make_shared<RoutedStanza>(session, in_seq, std::move(stanza),
                                            std::move(address.to), id);
    case Kind::kServerResource:
      return Refused(session, in_seq, stanza, address.to.ToString(),
                     StanzaError::ServiceUnavailable(), id);
    case Kind::kServer:
      break;
    case Kind::kNone:
      addressee = Addressee::kOwnAccount;
      break;
    case Kind::kAccount:
      addressee = address.to == session->account() ? Addressee::kOwnAccount : Addressee::kAccount;
      break;
  }
  if (!request) {
    const bool waited_for = shard_->requests != nullptr && addressee != Addressee::kAccount &&
                            shard_->requests->OnAnswer(*session, stanza);
    return Dropped(session, in_seq, waited_for ? "answer_to_server" : "answer_to_nothing");
  }
  const IqType type = stanza.type == StanzaType::kGet ? IqType::kGet : IqType::kSet;
  const IqHandler* handler =
      shard_->features->FindIq(type, stanza.payload_ns, stanza.payload_name, addressee);
  if (handler == nullptr) {
    return Refused(session, in_seq, stanza, address.to.ToString(),
                   StanzaError::ServiceUnavailable(), id);
  }
  Iq iq;
  iq.type = type;
  iq.id = std::move(stanza.id);
  iq.from = session->full();
  iq.to = std::move(address.to);
  iq.language = std::move(stanza.lang);
  iq.bytes = std::move(stanza.bytes);
  iq.session = session;
  iq.cluster_id = id;
  iq.repeated = in_seq <= session->resubmitted;
  return std::make_shared<ServerIq>(session, in_seq, handler, std::move(iq));
}

}  // namespace business
