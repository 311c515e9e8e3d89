// The part of a stream that has a session: stanzas in, deliveries out.
#include <utility>

#include "connmgr/c2s_stream.h"
#include "connmgr/connmgr_loop.h"
#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/stream_management.h"

namespace connmgr {
namespace {

// Kind of a canonical stanza by the second letter of its name: message, presence, iq.
xmpp::StanzaKind KindOf(std::string_view body) {
  if (body.size() < 2) return xmpp::StanzaKind::kNonza;
  switch (body[1]) {
    case 'm':
      return xmpp::StanzaKind::kMessage;
    case 'p':
      return xmpp::StanzaKind::kPresence;
    case 'i':
      return xmpp::StanzaKind::kIq;
    default:
      return xmpp::StanzaKind::kNonza;
  }
}

}  // namespace

bool C2sStream::InSession(xmpp::Stanza stanza) {
  if (stanza.kind == xmpp::StanzaKind::kNonza) return SessionNonza(stanza);
  LoopCounters& counters = loop_.counters();
  if (state_ == State::kSession) deadline_ms_ = 0;  // this stanza came in time
  xmpp::ValidateAtEdge(&stanza);
  // RFC 6120 §8.1.2.1: a client speaks for itself only.
  if (!stanza.from.empty() && !IsOwnAddress(stanza.from)) {
    return Refuse(xmpp::StreamCondition::kInvalidFrom, "");
  }
  counters.stanzas[0][static_cast<size_t>(stanza.kind)].Add();
  if (stanza.verdict != xmpp::Verdict::kOk) counters.invalid_stanzas.Add();
  if (rates_ != nullptr) rates_->stanzas.Take(1, loop_.loop().NowMs());
  return SubmitInSession(stanza);
}

bool C2sStream::SubmitInSession(const xmpp::Stanza& stanza) {
  if (loop_.links().Submit(number_, stanza) == BusinessLinks::Window::kFull) {
    loop_.counters().window_full.Add();
    SetState(State::kSessionFull);
    return false;
  }
  return !PauseIfOverRate();
}

// What may stand beside stanzas in a session, by namespace: client state (XEP-0352) will have its
// place here.
bool C2sStream::SessionNonza(const xmpp::Stanza& element) {
  if (element.payload_ns == xmpp::ns::kSm) return StreamManagementNonza(element);
  return RefuseElement(element, xmpp::StreamCondition::kUnsupportedStanzaType);
}

bool C2sStream::StreamManagementNonza(const xmpp::Stanza& element) {
  if (state_ == State::kSession) deadline_ms_ = 0;
  BusinessLinks& links = loop_.links();
  if (element.payload_name == "enable") {
    // XEP-0198 §3: at most once.
    if (!links.MayEnable(number_)) {
      return Refuse(xmpp::StreamCondition::kPolicyViolation, "stream management is enabled");
    }
    return SubmitInSession(element);
  }
  if (element.payload_name == "r" && links.IsManaged(number_)) {
    links.AnswerRequest(number_);
    return true;
  }
  if (element.payload_name == "a") {
    if (!links.IsManaged(number_)) return true;
    const auto root = xmpp::Element::Parse(element.bytes);
    const auto h = root ? xmpp::ParseSmCount(root->Attr("h")) : std::nullopt;
    if (!h) return Refuse(xmpp::StreamCondition::kPolicyViolation, "<a/> without a count");
    if (const auto sent = links.Confirm(number_, *h)) {
      Close(xmpp::HandledCountTooHigh(*h, *sent), CloseReason::kStreamError);
      return false;
    }
    return true;
  }
  if (element.payload_name == "r" || element.payload_name == "resume") {
    connection_.Send(xmpp::WriteSmFailed("unexpected-request", std::nullopt));
    return true;
  }
  return RefuseElement(element, xmpp::StreamCondition::kUnsupportedStanzaType);
}

// Our words reach the client's session.
bool C2sStream::SaysSession() const {
  return state_ == State::kSession || state_ == State::kSessionFull ||
         state_ == State::kSessionDraining;
}

void C2sStream::OnEnabled(std::string_view element) {
  const std::string& location = loop_.settings().location;
  if (location.empty() || element.find(" resume=") == std::string_view::npos) {
    return OnNonza(element);
  }
  std::string with(element.substr(0, element.size() - 2));
  xmpp::AppendAttribute(&with, "location", location);
  OnNonza(with.append("/>"));
}

void C2sStream::OnNonza(std::string_view element) {
  if (SaysSession()) connection_.Send(element);
}

size_t C2sStream::WriteLimit() const { return loop_.settings().write_queue; }

size_t C2sStream::WriteRoom() const {
  const size_t limit = WriteLimit(), queued = connection_.queued();
  return queued < limit ? limit - queued : 0;
}

bool C2sStream::IsOwnAddress(std::string_view from) const {
  if (from == jid_) return true;
  const std::string_view jid = jid_;
  return from == jid.substr(0, jid.find('/'));
}

TakenOutcome C2sStream::OnDeliver(std::string_view body, uint32_t splice_offset,
                                  std::string_view to) {
  switch (state_) {
    case State::kSession:
    case State::kSessionFull:
    case State::kSessionDraining:
      break;
    default:
      return TakenOutcome::kNotHere;
  }
  const size_t limit = loop_.settings().write_queue;
  const size_t size = body.size() + to.size();
  if (connection_.queued() + size > limit) {
    connection_.Flush();  // much may have come in one turn
    if (!connection_.open()) return TakenOutcome::kNotHere;
    if (connection_.queued() > 0 && connection_.queued() + size > limit) {
      // R7: only this client pays for being slow.
      Abort(CloseReason::kSlowConsumer);
      return TakenOutcome::kOverflowed;
    }
  }
  loop_.counters().stanzas[1][static_cast<size_t>(KindOf(body))].Add();
  connection_.SendWithTo(body, splice_offset, to);
  return TakenOutcome::kTaken;
}

void C2sStream::OnWindowOpen() {
  if (state_ != State::kSessionFull) return;
  SetState(State::kSession);
  WatchStanzaTime();
  connection_.WakeAtTurnEnd();
}

void C2sStream::OnCloseOrder(xmpp::StreamError error, bool /*fenced*/) {
  Close(error, CloseReason::kOrder);
}

}  // namespace connmgr
