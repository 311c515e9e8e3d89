#include "business/presence/presence_service.h"

#include <utility>

#include "business/presence/directed_presence.h"
#include "business/presence/own_presence.h"
#include "business/presence/own_probe.h"
#include "business/presence/presence_delivery.h"
#include "business/presence/presence_priority.h"
#include "business/routing/outside.h"
#include "business/routing/routed_stanza.h"
#include "business/routing/sender_reply.h"
#include "business/session/shard.h"
#include "lib/xmpp/canonical_writer.h"

namespace business {
namespace {

using xmpp::StanzaError;
using xmpp::StanzaKind;
using xmpp::StanzaType;
using Kind = Address::Kind;

constexpr std::string_view kUnavailable = "<presence type='unavailable'/>";

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
      // Subscriptions. RFC 6121 §8.5.1 has them ignored for accounts that do not exist; as long as
      // nobody keeps a roster the others do the same: a request that was passed on could be
      // approved, and nothing would come of it (§3.1.3 binds the approval to the roster). Nor does
      // anybody learn which accounts there are.
      return Dropped(session, in_seq, "no_rosters");
  }
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
  if (address.to.BareView() == session->account().ToString()) {
    return std::make_shared<OwnProbe>(session, in_seq, std::string(address.to.resource()), id);
  }
  // §4.3.2: who is not subscribed, or asks for an account that does not exist, gets "unsubscribed".
  std::string bytes = "<presence";
  xmpp::AppendAttribute(&bytes, "from", address.to.BareView());
  xmpp::AppendAttribute(&bytes, "type", xmpp::TypeName(StanzaType::kUnsubscribed));
  if (!stanza.id.empty()) xmpp::AppendAttribute(&bytes, "id", stanza.id);
  bytes += "/>";
  return std::make_shared<AnsweredStanza>(session, in_seq, StanzaKind::kPresence, std::move(bytes),
                                          id);
}

void PresenceService::OnSessionEnded(const xmpp::BareJid& account,
                                     const cluster::SessionRecord& row,
                                     const std::vector<std::string>& directed) {
  PresenceNotice notice;
  notice.from = xmpp::FullJid::FromNormalized(account.ToString() + "/" + row.resource);
  notice.epoch = row.owner.epoch;
  notice.bytes = kUnavailable;
  // The same whoever finds the session gone, and however often.
  notice.id = shard_->ids->Make(row.session, row.owner.epoch, {}, kUnavailable);
  notice.index = kEffectDirectedUnavailable;
  if (row.available) {
    notice.to = account;
    TellUnavailable(shard_, notice, nullptr);
  }
  for (const std::string& to : directed) {
    notice.to = xmpp::Jid::FromNormalized(to);
    TellUnavailable(shard_, notice, nullptr);
  }
}

}  // namespace business
