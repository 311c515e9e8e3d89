// Connections before bind: whom they ask, and what becomes of that when it goes away.
#include <utility>

#include "connmgr/link_set.h"
#include "lib/runtime/check.h"
#include "lib/runtime/log.h"
#include "lib/runtime/rpc_batch.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {

using State = LinkSession::State;
using xylem::v1::Negotiated;

void LinkSet::Open(uint64_t connection, xylem::v1::Opened opened) {
  loop_->AssertInLoop();
  LinkSession* session = Find(connection);
  CHECK(session != nullptr && session->state == State::kNegotiating);
  LinkSession::Negotiation& negotiation = *session->negotiation;
  opened.set_connection(connection);
  if (opened.ticket().empty()) opened.set_ticket(negotiation.ticket);
  opened.SerializeToString(&negotiation.opened);
  negotiation.exchange = false;
  negotiation.element.clear();
  BusinessLink* home = ChooseHome(*session);
  negotiation.open_waits = home == nullptr;
  if (home != nullptr) OpenAt(session, home);
}

// Gives `link` what it must know of the stream; who had it before forgets it.
BusinessLink* LinkSet::OpenAt(LinkSession* session, BusinessLink* link) {
  LinkSession::Negotiation& negotiation = *session->negotiation;
  if (negotiation.opened_at != link) {
    if (negotiation.opened_at != nullptr) {
      negotiation.opened_at->SendMoved(session->connection, 0);
    }
    negotiation.own_answers = 0;
    negotiation.opened_at = link;
  }
  link->SendOpened(negotiation.opened);
  return link;
}

void LinkSet::Negotiate(uint64_t connection, std::string_view element, std::string_view ns,
                        std::string_view name) {
  using Item = xylem::v1::Negotiate;
  loop_->AssertInLoop();
  LinkSession* session = Find(connection);
  CHECK(session != nullptr && session->state == State::kNegotiating);
  LinkSession::Negotiation& negotiation = *session->negotiation;
  std::string item;
  runtime::WireWriter writer(&item);
  writer.Fixed64(Item::kConnectionFieldNumber, connection);
  writer.Bytes(Item::kElementFieldNumber, element);
  writer.Bytes(Item::kTicketFieldNumber, negotiation.ticket);
  writer.Bytes(Item::kNamespaceFieldNumber, ns);
  writer.Bytes(Item::kNameFieldNumber, name);
  writer.Fixed64(Item::kManagerIncarnationFieldNumber, options_.incarnation);
  negotiation.element = std::move(item);
  SendWaiting(session);
}

// Sends what has not been sent yet, if there is anybody to send it to.
void LinkSet::SendWaiting(LinkSession* session) {
  LinkSession::Negotiation& negotiation = *session->negotiation;
  if (!negotiation.open_waits && negotiation.element.empty()) return;
  BusinessLink* link = negotiation.opened_at;
  // SASL stays with the server that has its half; anything else does not begin where one leaves.
  const bool stays = link != nullptr && link->up() && (negotiation.exchange || !link->draining);
  if (!stays) link = ChooseHome(*session);
  if (link == nullptr) return;
  if (std::exchange(negotiation.open_waits, false)) {
    OpenAt(session, link);
  } else if (link != negotiation.opened_at && !negotiation.opened.empty()) {
    OpenAt(session, link);
    ++negotiation.own_answers;
  }
  if (negotiation.element.empty()) return;
  negotiation.opened_at = link;
  negotiation.exchange = true;
  link->SendNegotiate(std::exchange(negotiation.element, {}));
}

void LinkSet::OnNegotiated(BusinessLink* link, std::string_view item, bool* ok) {
  Negotiated answer;
  *ok = answer.ParseFromArray(item.data(), static_cast<int>(item.size()));
  if (!*ok) return;
  LinkSession* session = Find(answer.connection());
  if (session == nullptr) return EndUnclaimed(link, answer);
  if (session->state != State::kNegotiating || session->negotiation->opened_at != link) return;
  LinkSession::Negotiation& negotiation = *session->negotiation;
  switch (answer.outcome()) {
    case Negotiated::FEATURES:
      if (negotiation.own_answers > 0) {
        --negotiation.own_answers;
        return;
      }
      break;
    case Negotiated::AUTHENTICATED:
      session->account = answer.account();
      negotiation.ticket = answer.ticket();
      negotiation.exchange = false;
      break;
    case Negotiated::BOUND:
      return Bound(session, link, answer);
    case Negotiated::FAILED:
      negotiation.exchange = false;
      break;
    default:
      break;
  }
  session->client->OnNegotiated(answer);
}

void LinkSet::Bound(LinkSession* session, BusinessLink* link, const Negotiated& answer) {
  if (!answer.account().empty()) session->account = answer.account();
  session->account.shrink_to_fit();
  session->epoch = answer.epoch();
  session->ticket = answer.ticket();
  session->negotiation.reset();
  session->home = link;
  session->attached = true;
  session->state = State::kBound;
  ++bound_;
  if (link->draining) session->misplaced = true;
  if (answer.has_resumed()) GoOn(session, answer.resumed());
  session->client->OnNegotiated(answer);
  // Another may have resumed it since: the answer tells.
  if (session->sm != nullptr && session->state == State::kBound) PullNow(session);
}

// A resumed session's numbers go on.
void LinkSet::GoOn(LinkSession* session, const xylem::v1::Resumed& resumed) {
  session->window.StartBehind(resumed.accepted());
  session->enable_seq = resumed.base();
  session->sm = std::make_unique<StreamManagement>(resumed.base(), resumed.confirmed());
  session->sm->HeardOf(resumed.last());
}

// The stream left while its bind was under way: the session it got has nobody.
void LinkSet::EndUnclaimed(BusinessLink* link, const Negotiated& answer) {
  if (answer.outcome() != Negotiated::BOUND) return;
  auto made = std::make_unique<LinkSession>(answer.connection(), nullptr);
  LinkSession* session = made.get();
  sessions_.emplace(answer.connection(), std::move(made));
  session->account = answer.account();
  session->epoch = answer.epoch();
  session->ticket = answer.ticket();
  session->home = link;
  session->attached = true;
  session->state = State::kClosing;
  if (answer.has_resumed()) GoOn(session, answer.resumed());
  session->closing = std::make_unique<LinkSession::Closing>(
      LinkSession::Closing{"socket", /*resumable=*/answer.has_resumed()});
  ++closing_;
  CloseAtHome(session);
}

}  // namespace connmgr
