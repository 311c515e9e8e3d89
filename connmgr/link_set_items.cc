// What business servers say of sessions.
#include <utility>

#include "connmgr/link_set.h"
#include "lib/runtime/log.h"
#include "lib/runtime/wire_reader.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

using runtime::WireReader;
using State = LinkSession::State;
using xylem::v1::Control;
using xylem::v1::Down;

// The contract says 2 KiB; above this it is not kept (R7).
constexpr size_t kMaxTicketBytes = 32 << 10;
// The same gap is filled again only after this time: each stanza behind it may report it. Less than
// the time after which a business server reports it again.
constexpr uint64_t kSameGapMs = 500;

// (connection, epoch, …) opens most items.
struct Named {
  uint64_t connection = 0, epoch = 0, number = 0;
  std::string_view bytes;
  bool ok = false;
};

// Fields 1, 2 and 3; the others are skipped.
Named ReadNamed(std::string_view item) {
  Named named;
  WireReader reader(item);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        named.connection = reader.number();
        break;
      case 2:
        named.epoch = reader.number();
        break;
      case 3:
        named.number = reader.number();
        named.bytes = reader.bytes();
        break;
      default:
        break;
    }
  }
  named.ok = !reader.malformed();
  return named;
}

xmpp::StreamError ReadError(const xylem::v1::StreamError& error) {
  const auto condition = xmpp::ParseStreamCondition(error.condition());
  return {condition.value_or(xmpp::StreamCondition::kUndefinedCondition), error.text(),
          error.app_condition()};
}

}  // namespace

bool LinkSet::OnItem(BusinessLink* link, int field, std::string_view item) {
  bool ok = true;
  switch (field) {
    case Down::kNegotiatedFieldNumber:
      OnNegotiated(link, item, &ok);
      return ok;
    case Down::kAcceptedFieldNumber:
      return OnAccepted(link, item);
    case Down::kDeliverFieldNumber:
      return OnDeliver(link, item);
    case Down::kTicketFieldNumber:
      return OnTicket(link, item);
    case Down::kControlFieldNumber:
      return OnControl(link, item);
    case Down::kEndedFieldNumber:
      return OnEnded(item);
    default:
      return true;  // of a later version
  }
}

bool LinkSet::OnAccepted(BusinessLink* link, std::string_view item) {
  const Named accepted = ReadNamed(item);
  if (!accepted.ok) return false;
  LinkSession* session = Find(accepted.connection);
  // A former home's word is about a turn that is over.
  if (session == nullptr || session->home != link) return true;
  if (!session->Owns(accepted.epoch) && accepted.epoch < session->epoch) return true;
  session->unanswered = false;
  unaccepted_ -= session->window.AcceptUpTo(accepted.number);
  AnswerIfDue(session);
  if (session->misplaced && session->window.empty()) MoveIfQuiet(session);
  if (session->told_full && !session->WindowFull(options_.limits)) {
    session->told_full = false;
    if (session->client != nullptr) session->client->OnWindowOpen();
  }
  return true;
}

bool LinkSet::OnDeliver(BusinessLink* link, std::string_view item) {
  using xylem::v1::Deliver;
  uint64_t number = 0;
  uint32_t splice_offset = 0;
  std::string_view body;
  WireReader fields(item);
  while (fields.Next()) {
    switch (fields.field()) {
      case Deliver::kNumberFieldNumber:
        number = fields.number();
        break;
      case Deliver::kBodyFieldNumber:
        body = fields.bytes();
        break;
      case Deliver::kSpliceOffsetFieldNumber:
        splice_offset = static_cast<uint32_t>(fields.number());
        break;
      default:
        break;
    }
  }
  if (fields.malformed() || splice_offset > body.size() || !link->Take(number)) return false;
  WireReader targets(item);
  bool ok = true;
  for (uint32_t index = 0; ok && targets.Next();) {
    if (targets.field() != Deliver::kTargetsFieldNumber) continue;
    const TakenOutcome outcome = DeliverTo(targets.bytes(), body, splice_offset, &ok);
    if (outcome != TakenOutcome::kTaken) link->Refuse(number, index, outcome);
    ++index;
  }
  return ok;
}

TakenOutcome LinkSet::DeliverTo(std::string_view target, std::string_view body,
                                uint32_t splice_offset, bool* ok) {
  using xylem::v1::Target;
  uint64_t connection = 0, epoch = 0, out_seq = 0, generation = 0;
  std::string_view to, effect;
  WireReader fields(target);
  while (fields.Next()) {
    switch (fields.field()) {
      case Target::kConnectionFieldNumber:
        connection = fields.number();
        break;
      case Target::kEpochFieldNumber:
        epoch = fields.number();
        break;
      case Target::kOutSeqFieldNumber:
        out_seq = fields.number();
        break;
      case Target::kToFieldNumber:
        to = fields.bytes();
        break;
      case Target::kEffectFieldNumber:
        effect = fields.bytes();
        break;
      case Target::kGenerationFieldNumber:
        generation = fields.number();
        break;
      default:
        break;
    }
  }
  *ok = !fields.malformed();
  LinkSession* session = *ok ? Find(connection) : nullptr;
  if (session == nullptr || session->state != State::kBound || !session->Owns(epoch)) {
    ++stats_.not_here;
    return TakenOutcome::kNotHere;
  }
  if (out_seq != 0 || body.empty()) {
    return DeliverNumbered(session, generation, out_seq, {body, splice_offset, to});
  }
  const bool enabling = session->enable_seq != 0 && splice_offset == 0;
  if (session->sm != nullptr || enabling) return DeliverUnnumbered(session, body);
  const uint64_t now = loop_->NowMs();
  if (!effect.empty() && effects_.Seen(connection, effect, now)) {
    ++stats_.duplicates_dropped;
    return TakenOutcome::kTaken;
  }
  const TakenOutcome outcome = session->client->OnDeliver(body, splice_offset, to);
  if (outcome == TakenOutcome::kTaken && !effect.empty()) effects_.Record(connection, effect, now);
  if (outcome == TakenOutcome::kNotHere) ++stats_.not_here;
  return outcome;
}

bool LinkSet::OnTicket(BusinessLink* link, std::string_view item) {
  const Named ticket = ReadNamed(item);
  if (!ticket.ok) return false;
  LinkSession* session = Find(ticket.connection);
  if (session == nullptr || session->home != link) return true;
  if (!session->Owns(ticket.epoch) && ticket.epoch < session->epoch) return true;
  session->Renumber(ticket.epoch);
  if (ticket.bytes.size() > kMaxTicketBytes) {
    runtime::LogWarn("ticket_too_big", "A session's ticket is too big to be kept.",
                     {{"conn_id", ticket.connection}, {"bytes", ticket.bytes.size()}});
    return true;
  }
  session->ticket.assign(ticket.bytes);
  if (session->misplaced && session->window.empty()) MoveIfQuiet(session);
  return true;
}

bool LinkSet::OnEnded(std::string_view item) {
  const Named ended = ReadNamed(item);
  if (!ended.ok) return false;
  LinkSession* session = Find(ended.connection);
  if (session == nullptr) return true;
  if (!session->Owns(ended.epoch) && ended.epoch < session->epoch) return true;
  if (session->state == State::kClosing) {
    Erase(session);
  } else if (session->state == State::kBound) {
    EndOver(session, {xmpp::StreamCondition::kInternalServerError, "the session has ended", {}});
  }
  return true;
}

// The session is over for the cluster: nothing of it is submitted or ended any more.
void LinkSet::EndOver(LinkSession* session, xmpp::StreamError error) {
  unaccepted_ -= session->window.AcceptUpTo(UINT64_MAX);
  session->home = nullptr;
  session->attached = false;
  session->state = State::kOver;
  --bound_;
  session->client->OnCloseOrder(std::move(error), /*fenced=*/true);
}

bool LinkSet::OnControl(BusinessLink* link, std::string_view item) {
  Control control;
  if (!control.ParseFromArray(item.data(), static_cast<int>(item.size()))) return false;
  switch (control.what_case()) {
    case Control::kClose: {
      const Control::Close& close = control.close();
      LinkSession* session = Find(close.connection());
      if (session == nullptr || session->client == nullptr || !session->Owns(close.epoch())) break;
      if (session->state == State::kOver) break;
      session->client->OnCloseOrder(ReadError(close.error()), /*fenced=*/false);
      break;
    }
    case Control::kFenced:
      OnFenced(link, control.fenced().connection(), control.fenced().epoch());
      break;
    case Control::kGap:
      OnGap(link, control.gap());
      break;
    case Control::kDraining:
      OnDraining(link, control.draining().undrain());
      break;
    case Control::kGeneration:
      NoteGeneration(control.generation().generation());
      break;
    case Control::kDrainManager:
      if (on_drain_order_) on_drain_order_(control.drain_manager().undrain());
      break;
    case Control::kAnswerNow:
      link->AnswerNow();
      break;
    case Control::kDomains:
      link->domains.assign(control.domains().domains().begin(), control.domains().domains().end());
      NoteDomains();
      break;
    case Control::WHAT_NOT_SET:
      break;  // of a later version
  }
  return true;
}

void LinkSet::OnFenced(BusinessLink* link, uint64_t connection, uint64_t epoch) {
  LinkSession* session = Find(connection);
  // A former home may be fenced by our own announcement elsewhere.
  if (session == nullptr || session->home != link || !session->Owns(epoch)) return;
  if (session->state == State::kClosing) return Erase(session);
  EndOver(session, {xmpp::StreamCondition::kConflict, "", {}});
}

void LinkSet::OnGap(BusinessLink* link, const xylem::v1::Control_Gap& gap) {
  LinkSession* session = Find(gap.connection());
  if (session == nullptr || session->home != link || !session->attached) return;
  if (!session->Owns(gap.epoch())) return;
  const uint64_t now = loop_->NowMs();
  const bool recent = now - session->gap_ms < kSameGapMs;
  // What was sent before an announcement is refused until the announcement arrives.
  if (recent && session->unanswered) return;
  if (recent && gap.expected() != 0 && session->gap_expected == gap.expected()) return;
  session->gap_ms = now;
  session->gap_expected = gap.expected();
  // A server that knows less than it accepted, or more than was said, has to be told.
  if (gap.expected() <= session->window.accepted() ||
      gap.expected() >= session->window.next_in_seq()) {
    return AnnounceAgain(session);
  }
  Resubmit(session, gap.expected());
  if (session->state == State::kClosing) session->home->SendClosed(*session);
}

void LinkSet::OnDraining(BusinessLink* link, bool undrain) {
  if (link->draining == !undrain) return;
  link->draining = !undrain;
  runtime::LogInfo(undrain ? "business_undrained" : "business_draining",
                   "A business server said whether it takes sessions.",
                   {{"instance", link->instance()}});
  RefreshUsable();
  Resettle();
  ScheduleSweep();
}

}  // namespace connmgr
