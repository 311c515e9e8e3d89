#include "business/session/session_service.h"

#include <optional>
#include <utility>

#include "business/auth/authenticator.h"
#include "business/session/ownership_guard.h"
#include "business/session/session_commits.h"
#include "business/session/session_table.h"
#include "business/session/session_ticket.h"
#include "business/session/shard.h"
#include "business/session/stanza_sink.h"
#include "lib/cluster/outbox.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/stanza.h"
#include "proto/connmgr_business.pb.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::StreamCondition;
using xylem::v1::Negotiated;

// While a gap stays what it is: one order to go back is enough for all that is on the way behind
// it.
constexpr uint64_t kGapAgainMs = 1000;

void Close(const ManagerLinkPtr& link, uint64_t connection, StreamCondition condition) {
  Negotiated answer;
  answer.set_connection(connection);
  answer.set_outcome(Negotiated::CLOSE);
  answer.mutable_error()->set_condition(std::string(xmpp::ConditionName(condition)));
  link->SendNegotiated(std::move(answer));
}

// The identity that authenticated on this connection; nothing of a session.
std::optional<OpenedTicket> IdentityOf(const Shard& shard, const ManagerLink& link,
                                       uint64_t connection, std::string_view sealed) {
  std::optional<OpenedTicket> ticket = OpenTicket(*shard.sealer, link, connection, sealed);
  if (ticket && !ticket->record.session.empty()) return std::nullopt;
  return ticket;
}

// RFC 6120 §7.4: bind is what an authenticated stream has to do next.
std::string BindFeature() {
  std::string out = "<bind xmlns='";
  return out.append(ns::kBind).append("'/>");
}

xmpp::Stanza StanzaOf(xylem::v1::Envelope& envelope) {
  xmpp::Stanza stanza;
  const uint32_t kind = envelope.kind();
  const bool known_kind = kind >= 1 && kind <= static_cast<uint32_t>(xmpp::StanzaKind::kNonza);
  stanza.kind = known_kind ? static_cast<xmpp::StanzaKind>(kind) : xmpp::StanzaKind::kNonza;
  const bool known_type = envelope.type() <= static_cast<uint32_t>(xmpp::StanzaType::kInvalid);
  stanza.type =
      known_type ? static_cast<xmpp::StanzaType>(envelope.type()) : xmpp::StanzaType::kInvalid;
  const bool known_verdict =
      envelope.verdict() <= static_cast<uint32_t>(xmpp::Verdict::kJidMalformed);
  stanza.verdict =
      known_verdict ? static_cast<xmpp::Verdict>(envelope.verdict()) : xmpp::Verdict::kBadRequest;
  stanza.flags = envelope.flags();
  stanza.id = std::move(*envelope.mutable_id());
  stanza.to = std::move(*envelope.mutable_to());
  stanza.from = std::move(*envelope.mutable_from());
  stanza.lang = std::move(*envelope.mutable_language());
  stanza.payload_ns = std::move(*envelope.mutable_payload_namespace());
  stanza.payload_name = std::move(*envelope.mutable_payload_name());
  stanza.bytes = std::move(*envelope.mutable_body());
  return stanza;
}

}  // namespace

SessionService::SessionService(Shard* shard, Authenticator* authenticator, StanzaSink* stanzas,
                               Options options)
    : shard_(shard),
      authenticator_(authenticator),
      stanzas_(stanzas),
      options_(std::move(options)),
      ender_(shard),
      binder_(shard, &ender_,
              {.max_resources = options_.max_resources, .replace = options_.replace}),
      resumer_(shard, &ender_),
      announcer_(shard, &ender_) {}

SessionService::~SessionService() = default;

void SessionService::OnOpened(const ManagerLinkPtr& link, const xylem::v1::Opened& opened) {
  if (opened.ticket().empty()) {
    authenticator_->OnOpened(link, opened);
  } else {
    OpenAuthenticated(link, opened);
  }
}

void SessionService::OpenAuthenticated(const ManagerLinkPtr& link,
                                       const xylem::v1::Opened& opened) {
  const std::optional<OpenedTicket> identity =
      IdentityOf(*shard_, *link, opened.connection(), opened.ticket());
  if (!identity) return Close(link, opened.connection(), StreamCondition::kNotAuthorized);
  if (!opened.domain().empty() && opened.domain() != identity->account.domain()) {
    return Close(link, opened.connection(), StreamCondition::kHostUnknown);
  }
  Negotiated answer;
  answer.set_connection(opened.connection());
  answer.set_outcome(Negotiated::FEATURES);
  std::string features = BindFeature();
  if (options_.stream_features) features += options_.stream_features();
  answer.set_features(std::move(features));
  link->SendNegotiated(std::move(answer));
}

void SessionService::OnNegotiate(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) {
  if (element.namespace_() == ns::kSasl) return authenticator_->OnSasl(link, element);
  if (element.namespace_() == ns::kRegister || element.namespace_() == ns::kPreauth) {
    return authenticator_->OnIq(link, element);
  }
  const uint64_t connection = element.connection();
  std::optional<OpenedTicket> identity = IdentityOf(*shard_, *link, connection, element.ticket());
  if (!identity) return Close(link, connection, StreamCondition::kNotAuthorized);
  if (element.namespace_() == ns::kSm) {
    return resumer_.Resume(link, connection, element.element(), *std::move(identity));
  }
  if (element.namespace_() != ns::kBind) {
    return Close(link, connection, StreamCondition::kUnsupportedStanzaType);
  }
  binder_.Bind(link, connection, element.element(), *std::move(identity));
}

void SessionService::OnSubmit(const ManagerLinkPtr& link, xylem::v1::Submit& submit) {
  const SessionPtr session = shard_->sessions->Find(link.get(), submit.connection());
  if (!session || submit.epoch() > session->epoch() || submit.turn() > session->turn) {
    // Not known here, or it was elsewhere since: its announcement tells where it stands.
    shard_->metrics->gaps.Add();
    link->SendGap(submit.connection(), submit.epoch(), 0);
  } else if (submit.epoch() < session->epoch()) {
    shard_->metrics->fenced.Add();
    link->SendFenced(submit.connection(), submit.epoch());
  } else if (submit.turn() < session->turn || session->ending_under_way) {
    shard_->metrics->CountDrop("older_turn");
  } else {
    Take(session, submit);
  }
}

void SessionService::Take(const SessionPtr& session, xylem::v1::Submit& submit) {
  switch (session->queue.PlaceOf(submit.in_seq())) {
    case SubmissionQueue::Place::kNext:
      session->accept_soon = submit.accept_soon();
      if (submit.attempt() > 0) session->resubmitted = submit.in_seq();
      stanzas_->Submit(session, submit.in_seq(), StanzaOf(*submit.mutable_envelope()));
      return;
    case SubmissionQueue::Place::kRepeated:
      shard_->metrics->repeated.Add();
      // The manager may have missed it; what is still under way is told when it is done.
      if (submit.in_seq() <= session->accepted()) {
        shard_->sessions->AcceptedAdvanced(session);
      }
      return;
    case SubmissionQueue::Place::kGap:
      TellGap(session);
      return;
  }
}

void SessionService::TellGap(const SessionPtr& session) {
  shard_->metrics->gaps.Add();
  const uint64_t expected = session->queue.next();
  const uint64_t now = shard_->loop->NowMs();
  if (session->gap_expected == expected && now - session->gap_told_ms < kGapAgainMs) return;
  session->gap_expected = expected;
  session->gap_told_ms = now;
  session->link()->SendGap(session->connection(), session->epoch(), expected);
}

void SessionService::OnPull(const ManagerLinkPtr& link, const xylem::v1::Pull& pull) {
  const SessionPtr session = shard_->sessions->Find(link.get(), pull.connection());
  if (!session || !session->Is(pull.epoch()) || !session->managed()) return;
  runtime::Spawn(Pull(session, pull.from_out_seq(), pull.room_stanzas(), pull.room_bytes()));
}

runtime::Task<void> SessionService::Pull(SessionPtr session, uint64_t from, uint32_t stanzas,
                                         uint32_t bytes) {
  // Without an answer the manager asks again.
  const auto pulled =
      co_await shard_->outbox->Pull(session->full(), session->record, from, stanzas, bytes);
  if (!pulled || session->gone()) co_return;
  if (!pulled->has_value()) {
    shard_->guard->Require(session);
    co_return;
  }
  uint64_t out_seq = (*pulled)->first;
  for (const cluster::OutboxEntry& entry : (*pulled)->entries) {
    DeliverBody body;
    body.bytes = entry.body;
    body.splice_offset = xmpp::SpliceOffset(static_cast<xmpp::StanzaKind>(entry.kind));
    body.kind = entry.kind;
    body.stanza_class = entry.stanza_class;
    body.flags = entry.flags;
    std::vector<DeliverTarget> targets;
    targets.push_back({.owner = session->record.owner,
                       .out_seq = out_seq++,
                       .to = entry.to,
                       .effect = entry.effect,
                       .generation = session->record.announced_generation});
    shard_->links->Deliver(std::move(body), std::move(targets), nullptr);
  }
  session->TellNewest((*pulled)->last);
}

void SessionService::OnClientAck(const ManagerLinkPtr& link, const xylem::v1::ClientAck& ack) {
  const SessionPtr session = shard_->sessions->Find(link.get(), ack.connection());
  if (session && session->Is(ack.epoch())) {
    shard_->commits->Confirmed(session, ack.up_to_out_seq());
  }
}

void SessionService::OnAnnounce(const ManagerLinkPtr& link, const xylem::v1::Announce& announce) {
  announcer_.OnAnnounce(link, announce);
}

void SessionService::OnClosed(const ManagerLinkPtr& link, const xylem::v1::Closed& closed) {
  const uint64_t connection = closed.connection();
  const SessionPtr session = shard_->sessions->Find(link.get(), connection);
  if (closed.epoch() == 0) {
    authenticator_->OnConnectionClosed(link, connection);
    binder_.Abandon(link.get(), connection);
    resumer_.Abandon(link.get(), connection);
    // BOUND and Closed crossed: the manager does not know of this session, and never will.
    if (session) ender_.Close(session, 0, /*resumable=*/true);
    return;
  }
  if (session && session->Is(closed.epoch())) {
    shard_->commits->Confirmed(session, closed.client_acked());
    ender_.Close(session, closed.last_in_seq(), closed.resumable());
    return;
  }
  std::optional<OpenedTicket> ticket =
      OpenTicket(*shard_->sealer, *link, connection, closed.ticket());
  if (ticket && !ticket->record.session.empty() && ticket->record.owner.epoch == closed.epoch()) {
    ender_.CloseUnknown(link, *std::move(ticket), closed.resumable(), closed.client_acked());
  } else {
    link->SendEnded(connection, closed.epoch());  // there is nothing that could be ended
  }
}

void SessionService::OnMoved(const ManagerLinkPtr& link, const xylem::v1::Moved& moved) {
  const SessionPtr session = shard_->sessions->Find(link.get(), moved.connection());
  if (moved.epoch() == 0) {
    authenticator_->OnConnectionClosed(link, moved.connection());
    binder_.Abandon(link.get(), moved.connection());
    resumer_.Abandon(link.get(), moved.connection());
    if (session && session->managed()) {
      shard_->sessions->Remove(*session);  // resumed elsewhere, with the same owner
      return;
    }
    // Its BOUND came too late: it is bound elsewhere.
    if (session) ender_.Close(session, 0, /*resumable=*/false);
  } else if (session && session->Is(moved.epoch())) {
    shard_->sessions->Remove(*session);
  }
}

void SessionService::OnLinkUp(const ManagerLinkPtr&) {}

void SessionService::OnLinkDown(const ManagerLinkPtr& link) {
  binder_.AbandonLink(link.get());
  resumer_.AbandonLink(link.get());
  shard_->sessions->ForgetLink(link.get());
  authenticator_->OnLinkDown(link);
}

}  // namespace business
