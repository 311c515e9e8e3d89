#include "connmgr/c2s_stream.h"

#include <algorithm>
#include <utility>

#include "connmgr/connmgr_loop.h"
#include "connmgr/stream_header.h"
#include "connmgr/stream_negotiation.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/stream_management.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

using State = C2sStream::State;

// How long a stream that keeps us waiting counts as a handshake in progress.
constexpr uint64_t kSlotMs = 5000;
// Unread input of a stream without a session: what the framer's limits allow for one element.
constexpr size_t kMaxLeftoverBeforeSession = 10000;

Phase PhaseOf(State state) {
  switch (state) {
    case State::kProxyHeader:
    case State::kTlsHandshake:
      return Phase::kConnecting;
    case State::kSession:
    case State::kSessionFull:
    case State::kSessionDraining:
      return Phase::kSession;
    case State::kClosing:
    case State::kClosed:
      return Phase::kClosing;
    default:
      return Phase::kNegotiating;
  }
}

// A second PROXY header, or one where none is expected (tests/attacks, row 45).
bool LooksLikeProxyHeader(std::string_view bytes) {
  return bytes.substr(0, 6) == "PROXY " ||
         bytes.substr(0, 12) == std::string_view("\r\n\r\n\0\r\nQUIT\n", 12);
}

xmpp::FramerLimits LimitsBeforeAuth(const Settings& settings) {
  auto limits = xmpp::FramerLimits::BeforeAuthentication();
  limits.stanza_bytes = std::min(limits.stanza_bytes, settings.stanza_bytes);
  return limits;
}

}  // namespace

C2sStream::C2sStream(ConnmgrLoop& loop, int fd, const ListenerSettings& listener,
                     const SocketAddress& peer)
    : runtime::Timer(&OnTimer),
      loop_(loop),
      connection_(loop, fd, *this),
      framer_(loop.framers(), *this, xmpp::Framer::Mode::kStream, xmpp::ns::kClient,
              LimitsBeforeAuth(loop.settings())),
      negotiation_(std::make_unique<Negotiation>()),
      state_(State::kProxyHeader),
      kind_(listener.direct_tls ? ConnectionKind::kDirectTls : ConnectionKind::kTcp) {
  const uint64_t now = loop_.loop().NowMs();
  negotiation_->listener = &listener;
  negotiation_->peer_address = peer.ToString();
  negotiation_->accepted_ms = now;
  negotiation_->slot_check_ms = now + kSlotMs;
  loop_.admission().BeginHandshake();
  loop_.counters().accepted.Add();
  loop_.counters().connections[static_cast<size_t>(kind_)][static_cast<size_t>(PhaseOf(state_))]
      .Add();
  const Settings& settings = loop_.settings();
  if (settings.stanzas_per_second != 0 || settings.bytes_per_second != 0) {
    rates_ = std::make_unique<Rates>(Rates{TokenBucket(settings.stanzas_per_second, now),
                                           TokenBucket(settings.bytes_per_second, now)});
  }
  negotiation_->address = peer.Key();
}

C2sStream::~C2sStream() {
  ReleaseHandshakeSlot();
  if (address_ != nullptr) loop_.admission().LeaveAddress(*address_);
  loop_.admission().Leave();
  LoopCounters& counters = loop_.counters();
  counters.connections[static_cast<size_t>(kind_)][static_cast<size_t>(PhaseOf(state_))].Sub();
  counters.closes[static_cast<size_t>(close_reason_)].Add();
}

void C2sStream::SetState(State next) {
  const Phase before = PhaseOf(state_), after = PhaseOf(next);
  if (before != after) {
    auto& gauges = loop_.counters().connections[static_cast<size_t>(kind_)];
    gauges[static_cast<size_t>(before)].Sub();
    gauges[static_cast<size_t>(after)].Add();
  }
  state_ = next;
}

void C2sStream::Start() {
  const Settings& settings = loop_.settings();
  const ListenerSettings& listener = *negotiation_->listener;
  if (!listener.proxy) return OnProxied(nullptr);
  deadline_ms_ = negotiation_->accepted_ms + static_cast<uint64_t>(settings.proxy_time.count());
  Rearm();
  connection_.ExpectProxyHeader();
}

void C2sStream::OnProxied(const SocketAddress* client) {
  if (client != nullptr) {
    negotiation_->peer_address = client->ToString();
    negotiation_->address = client->Key();
  }
  if (loop_.admission().limits_addresses()) {
    if (!loop_.admission().EnterAddress(negotiation_->address, loop_.loop().NowMs())) {
      loop_.counters().refused[static_cast<size_t>(Refusal::kAddress)].Add();
      return Abort(CloseReason::kRefused);
    }
    address_ = std::make_unique<Admission::AddressKey>(negotiation_->address);
  }
  deadline_ms_ =
      negotiation_->accepted_ms + static_cast<uint64_t>(loop_.settings().negotiation.count());
  Rearm();
  if (negotiation_->listener->direct_tls) {
    SetState(State::kTlsHandshake);
    negotiation_->tls_begin_ms = loop_.loop().NowMs();
    connection_.StartTls(loop_.certificates().direct_tls());
  } else {
    SetState(State::kAwaitHeader);
    connection_.StartPlain();
  }
}

bool C2sStream::WantsInput() const {
  switch (state_) {
    case State::kAwaitHeader:
    case State::kAwaitStartTls:
    case State::kAwaitAuth:
    case State::kAwaitSaslResponse:
    case State::kAwaitHeaderAuthenticated:
    case State::kAwaitBind:
    case State::kSession:
      return leftover_ == nullptr && resume_ms_ == 0;
    default:
      return false;
  }
}

void C2sStream::OnInput(std::string_view bytes) {
  if (negotiation_ != nullptr && std::exchange(negotiation_->first_bytes, false) &&
      LooksLikeProxyHeader(bytes)) {
    return Abort(CloseReason::kProxy);
  }
  if (rates_ != nullptr) rates_->bytes.Take(bytes.size(), loop_.loop().NowMs());
  Consume(bytes);
  PauseIfOverRate();
}

void C2sStream::Consume(std::string_view bytes) {
  size_t consumed;
  {
    StageTimer timer(loop_.counters(), Stage::kFraming);
    consumed = framer_.Feed(bytes);
  }
  if (state_ == State::kTlsHandshake) {
    // COMPAT(go-xmpp, 2024): a line ends behind <starttls/>. White space says nothing, so nobody can
    // have slipped in anything by it; it is dropped with the old stream.
    const std::string_view behind = bytes.substr(consumed);
    return BeginTls(/*pipelined=*/behind.find_first_not_of(" \t\r\n") != std::string_view::npos);
  }
  if (state_ >= State::kClosing) return;
  if (consumed < bytes.size()) {
    if (negotiation_ != nullptr && bytes.size() - consumed > kMaxLeftoverBeforeSession) {
      Refuse(xmpp::StreamCondition::kPolicyViolation, "too much at once before authentication");
      return;
    }
    leftover_ = std::make_unique<std::string>(bytes.substr(consumed));
  }
  WatchStanzaTime();
}

void C2sStream::OnTurnEnd() {
  // Calls into the links happen here and in reactions to input, never from inside a call of theirs.
  if (state_ >= State::kClosing) return LeaveLinks();
  if (negotiation_ != nullptr && std::exchange(negotiation_->ask_again, false)) AskAgain();
  while (leftover_ != nullptr && resume_ms_ == 0) {
    const std::unique_ptr<std::string> bytes = std::move(leftover_);
    if (!WantsInput()) {
      leftover_ = std::make_unique<std::string>(std::move(*bytes));
      return;
    }
    Consume(*bytes);
    PauseIfOverRate();
  }
  if (state_ >= State::kClosing) return LeaveLinks();
  if (WantsInput()) connection_.InputWanted();
}

bool C2sStream::OnStreamHeader(xmpp::StreamHeader header) {
  runtime::TlsSession* tls = connection_.tls();
  HeaderVerdict verdict = JudgeStreamHeader(header, loop_.settings(), loop_.domains(),
                                            tls != nullptr ? tls->Sni() : std::string(),
                                            negotiation_->account);
  negotiation_->domain = verdict.domain;
  negotiation_->language = header.lang;
  SendStreamHeader(header);
  if (verdict.error) {
    // The state says that the header is out, so Close does not send a second one.
    SetState(State::kAwaitAuth);
    Close(*verdict.error, CloseReason::kStreamError);
    return false;
  }
  if (tls == nullptr && loop_.settings().tls == TlsMode::kRequired) {
    WriteFeatures({});
    SetState(State::kAwaitStartTls);
    return true;
  }
  SetState(negotiation_->ticket.empty() ? State::kOpening : State::kOpeningAuthenticated);
  AskForFeatures();
  return false;
}

void C2sStream::SendStreamHeader(const xmpp::StreamHeader& request) {
  connection_.Send(WriteStreamHeader(negotiation_->domain, request));
}

std::string_view C2sStream::domain() const {
  if (negotiation_ != nullptr) return negotiation_->domain;
  const std::string_view bare = std::string_view(jid_).substr(0, jid_.find('/'));
  return bare.substr(bare.find('@') + 1);
}

bool C2sStream::OnStanza(xmpp::Stanza stanza) {
  switch (state_) {
    case State::kAwaitStartTls:
      return BeforeTls(stanza);
    case State::kAwaitAuth:
    case State::kAwaitSaslResponse:
      return BeforeAuth(stanza);
    case State::kAwaitBind:
      return BeforeBind(stanza);
    case State::kSession:
      return InSession(std::move(stanza));
    default:
      return false;
  }
}

bool C2sStream::OnStreamEnd() {
  if (state_ >= State::kClosing) return false;
  // XEP-0198 §4: the last word on what was handled.
  if (SaysSession() && loop_.links().IsManaged(number_)) {
    connection_.Send(xmpp::WriteSmAnswer(loop_.links().HandledCount(number_)));
  }
  connection_.Send("</stream:stream>");
  BeginClosing(CloseReason::kStreamEnd, "stream_end");
  return false;
}

void C2sStream::OnStreamError(xmpp::StreamError error) {
  Close(error, CloseReason::kStreamError);
}

void C2sStream::Close(const xmpp::StreamError& error, CloseReason reason) {
  if (state_ >= State::kClosing) return;
  if (state_ == State::kProxyHeader || state_ == State::kTlsHandshake) return Abort(reason);
  // RFC 6120 §4.9.1.2: an error during set-up comes inside a stream, so ours is opened first.
  if (state_ == State::kAwaitHeader || state_ == State::kAwaitHeaderAuthenticated) {
    if (negotiation_->domain.empty()) negotiation_->domain = loop_.domains().first();
    SendStreamHeader({});
  }
  loop_.counters().stream_errors[static_cast<size_t>(error.condition)].Add();
  if (SaysSession() && loop_.links().IsManaged(number_)) {
    connection_.Send(xmpp::WriteSmAnswer(loop_.links().HandledCount(number_)));
  }
  connection_.Send(error.ToXml());
  connection_.Send("</stream:stream>");
  BeginClosing(reason, xmpp::ConditionName(error.condition));
}

void C2sStream::BeginClosing(CloseReason reason, std::string_view text) {
  close_reason_ = reason;
  close_text_ = text;
  leftover_.reset();
  resume_ms_ = 0;
  SetState(State::kClosing);
  ReleaseHandshakeSlot();
  deadline_ms_ = loop_.loop().NowMs() + static_cast<uint64_t>(loop_.settings().linger.count());
  Rearm();
  connection_.ShutAfterFlush();
}

void C2sStream::Abort(CloseReason reason) {
  connection_.Close();
  OnLost(reason);
}

void C2sStream::OnLost(CloseReason reason) {
  if (state_ == State::kClosed) return;
  if (state_ != State::kClosing) {
    close_reason_ = reason;
    close_text_ = Name(reason);
    if (state_ == State::kTlsHandshake) loop_.counters().handshakes_failed.Add();
  }
  leftover_.reset();
  Cancel();
  SetState(State::kClosed);
  loop_.Bury(this);
}

void C2sStream::LeaveLinks() {
  if (number_ == 0) return;
  // XEP-0198 §7: who says </stream:stream> leaves for good.
  const bool resumable = close_reason_ != CloseReason::kStreamEnd;
  loop_.links().Forget(std::exchange(number_, 0), close_text_, resumable);
}

void C2sStream::BeginDrain() {
  switch (state_) {
    case State::kSession:
    case State::kSessionFull:
      deadline_ms_ = 0;  // a stanza that is half read will not be read to its end
      SetState(State::kSessionDraining);
      return;
    case State::kSessionDraining:
    case State::kClosing:
    case State::kClosed:
      return;
    default:
      Close({xmpp::StreamCondition::kSystemShutdown, "", {}}, CloseReason::kDrain);
  }
}

bool C2sStream::ContinueDrain(bool overdue) {
  if (state_ != State::kSessionDraining) return true;
  if (!overdue && loop_.links().Unaccepted(number_) > 0) return false;
  Close({xmpp::StreamCondition::kSystemShutdown, "", {}}, CloseReason::kDrain);
  return true;
}

const char* Name(C2sStream::State state) {
  switch (state) {
    case State::kProxyHeader:
      return "proxy_header";
    case State::kTlsHandshake:
      return "tls_handshake";
    case State::kAwaitHeader:
      return "await_header";
    case State::kAwaitStartTls:
      return "await_starttls";
    case State::kOpening:
      return "opening";
    case State::kAwaitAuth:
      return "await_auth";
    case State::kAuthAsked:
      return "auth_asked";
    case State::kAwaitSaslResponse:
      return "await_sasl_response";
    case State::kRegistrationAsked:
      return "registration_asked";
    case State::kAwaitHeaderAuthenticated:
      return "await_header_authenticated";
    case State::kOpeningAuthenticated:
      return "opening_authenticated";
    case State::kAwaitBind:
      return "await_bind";
    case State::kBindAsked:
      return "bind_asked";
    case State::kSession:
      return "session";
    case State::kSessionFull:
      return "session_full";
    case State::kSessionDraining:
      return "session_draining";
    case State::kClosing:
      return "closing";
    case State::kClosed:
      return "closed";
  }
  return "";
}

}  // namespace connmgr
