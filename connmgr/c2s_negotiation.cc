// The part of a stream before its session: STARTTLS, SASL, bind.
#include <utility>

#include "connmgr/c2s_stream.h"
#include "connmgr/connmgr_loop.h"
#include "connmgr/stream_features.h"
#include "connmgr/stream_negotiation.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/namespaces.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

using xmpp::StreamCondition;
using xylem::v1::Negotiated;
namespace ns = xmpp::ns;

bool IsNonza(const xmpp::Stanza& element, std::string_view space, std::string_view name) {
  return element.kind == xmpp::StanzaKind::kNonza && element.payload_ns == space &&
         element.payload_name == name;
}

bool IsSasl(const xmpp::Stanza& element) {
  return IsNonza(element, ns::kSasl, "auth") || IsNonza(element, ns::kSasl, "response") ||
         IsNonza(element, ns::kSasl, "abort");
}

bool IsStanza(const xmpp::Stanza& element) { return element.kind != xmpp::StanzaKind::kNonza; }

xmpp::StreamError ReadError(const xylem::v1::StreamError& error) {
  const auto condition = xmpp::ParseStreamCondition(error.condition());
  return {condition.value_or(StreamCondition::kUndefinedCondition), error.text(),
          error.app_condition()};
}

}  // namespace

bool C2sStream::Refuse(StreamCondition condition, std::string text) {
  Close({condition, std::move(text), {}}, CloseReason::kStreamError);
  return false;
}

// A first-level element that has no place here. `condition` is for those nobody knows.
bool C2sStream::RefuseElement(const xmpp::Stanza& element, StreamCondition condition) {
  if (IsNonza(element, ns::kStreams, "error")) {
    // The client's own last words: RFC 6120 §4.9.1.1, the stream ends.
    connection_.Send("</stream:stream>");
    BeginClosing(CloseReason::kStreamEnd, "client_error");
    return false;
  }
  if (element.payload_ns == ns::kStreams) {
    return Refuse(StreamCondition::kBadFormat, "not an element of a client");
  }
  if (IsNonza(element, ns::kCompress, "compress")) {
    connection_.Send(WriteCompressionFailure());
    return true;
  }
  return Refuse(condition, "");
}

bool C2sStream::BeforeTls(const xmpp::Stanza& element) {
  if (IsNonza(element, ns::kTls, "starttls")) {
    SetState(State::kTlsHandshake);  // BeginTls follows, when it is known what stands behind
    return false;
  }
  if (IsStanza(element)) return Refuse(StreamCondition::kNotAuthorized, "");
  if (IsNonza(element, ns::kSasl, "auth")) {
    connection_.Send(WriteSaslFailure("encryption-required"));
    CountAuthFailure();
    return state_ == State::kAwaitStartTls;
  }
  return RefuseElement(element, StreamCondition::kPolicyViolation);
}

bool C2sStream::BeforeAuth(const xmpp::Stanza& element) {
  // XEP-0077, XEP-0445: who has no account yet may make one.
  if (element.kind == xmpp::StanzaKind::kIq &&
      (element.payload_ns == ns::kRegister || element.payload_ns == ns::kPreauth)) {
    SetState(State::kRegistrationAsked);
    return AskBusiness(element);
  }
  if (IsStanza(element)) return Refuse(StreamCondition::kNotAuthorized, "");
  if (IsSasl(element)) {
    SetState(State::kAuthAsked);
    return AskBusiness(element);
  }
  if (IsNonza(element, ns::kTls, "starttls") && connection_.tls() == nullptr) {
    if (loop_.settings().tls != TlsMode::kOff && loop_.certificates().available()) {
      SetState(State::kTlsHandshake);
      return false;
    }
    connection_.Send(WriteStartTlsFailure());
    connection_.Send("</stream:stream>");
    BeginClosing(CloseReason::kTls, "starttls_not_offered");
    return false;
  }
  return RefuseElement(element, StreamCondition::kUnsupportedStanzaType);
}

bool C2sStream::BeforeBind(const xmpp::Stanza& element) {
  if (element.kind == xmpp::StanzaKind::kIq && element.payload_ns == ns::kBind) {
    SetState(State::kBindAsked);
    return AskBusiness(element);
  }
  // XEP-0198 §5: instead of binding. <enable/> before it is refused there.
  if (IsNonza(element, ns::kSm, "resume") || IsNonza(element, ns::kSm, "enable")) {
    SetState(State::kBindAsked);
    return AskBusiness(element);
  }
  // RFC 6120 §7.1: nothing is processed before a resource is bound.
  if (IsStanza(element)) return Refuse(StreamCondition::kNotAuthorized, "no resource is bound");
  return RefuseElement(element, StreamCondition::kUnsupportedStanzaType);
}

void C2sStream::BeginTls(bool pipelined) {
  // What follows <starttls/> unencrypted was put there by anybody: tests/attacks, row 20.
  if (pipelined) {
    SetState(State::kAwaitStartTls);
    Refuse(StreamCondition::kPolicyViolation, "bytes behind <starttls/>");
    return;
  }
  connection_.Send(WriteStartTlsProceed());
  connection_.Flush();
  if (!connection_.open()) return;
  if (connection_.queued() > 0) return Abort(CloseReason::kTls);
  framer_.Restart();
  negotiation_->domain.clear();
  negotiation_->language.clear();
  negotiation_->tls_begin_ms = loop_.loop().NowMs();
  connection_.StartTls(loop_.certificates().starttls());
}

void C2sStream::OnTlsEstablished() {
  LoopCounters& counters = loop_.counters();
  (connection_.tls()->Resumed() ? counters.handshakes_resumed : counters.handshakes_done).Add();
  loop_.ObserveHandshake(loop_.loop().NowMs() - negotiation_->tls_begin_ms);
  if (kind_ == ConnectionKind::kTcp) {
    const auto phase = static_cast<size_t>(Phase::kConnecting);
    counters.connections[static_cast<size_t>(kind_)][phase].Sub();
    kind_ = ConnectionKind::kStartTls;
    counters.connections[static_cast<size_t>(kind_)][phase].Add();
  }
  SetState(State::kAwaitHeader);
}

void C2sStream::AskForFeatures() {
  if (number_ == 0) number_ = loop_.links().Register(this);
  xylem::v1::Opened opened;
  opened.set_transport(kind_ == ConnectionKind::kDirectTls ? xylem::v1::DIRECT_TLS
                                                           : xylem::v1::TCP);
  opened.set_peer_address(negotiation_->peer_address);
  opened.set_domain(negotiation_->domain);
  opened.set_language(negotiation_->language);
  opened.set_ticket(negotiation_->ticket);
  if (const runtime::TlsSession* tls = connection_.tls(); tls != nullptr) {
    opened.set_sni(tls->Sni());
    opened.set_alpn(tls->Alpn());
    opened.set_tls_version(tls->Version());
    opened.set_tls_exporter(tls->ExporterBinding());
    opened.set_tls_unique(tls->UniqueBinding());
    opened.set_tls_server_end_point(tls->EndPointBinding());
    opened.set_client_certificate(tls->PeerCertificateDer());
  }
  loop_.links().Open(number_, std::move(opened));
}

bool C2sStream::AskBusiness(const xmpp::Stanza& element) {
  if (state_ == State::kBindAsked || state_ == State::kRegistrationAsked) {
    negotiation_->element = element.bytes;
    negotiation_->element_ns = element.payload_ns;
    negotiation_->element_name = element.payload_name;
  }
  loop_.links().Negotiate(number_, element.bytes, element.payload_ns, element.payload_name);
  return false;
}

void C2sStream::WriteFeatures(std::string_view from_business) {
  StartTlsOffer offer = StartTlsOffer::kNone;
  if (connection_.tls() == nullptr && loop_.certificates().available() &&
      negotiation_->ticket.empty()) {
    if (loop_.settings().tls == TlsMode::kRequired) offer = StartTlsOffer::kRequired;
    if (loop_.settings().tls == TlsMode::kOptional) offer = StartTlsOffer::kOptional;
  }
  std::string features(from_business);
  // Before authentication the limits are smaller, and nothing that is said then comes near them.
  if (!negotiation_->ticket.empty()) features += WriteStreamLimits(loop_.settings().stanza_bytes);
  connection_.Send(connmgr::WriteFeatures(offer, features));
}

void C2sStream::OnNegotiated(const Negotiated& answer) {
  if (state_ >= State::kClosing) return;
  connection_.WakeAtTurnEnd();  // where what was left unread goes on
  connection_.Send(answer.reply());
  switch (answer.outcome()) {
    case Negotiated::FEATURES:
      if (state_ != State::kOpening && state_ != State::kOpeningAuthenticated) break;
      WriteFeatures(answer.features());
      return SetState(state_ == State::kOpening ? State::kAwaitAuth : State::kAwaitBind);
    case Negotiated::CONTINUE:
      if (state_ == State::kAuthAsked) return SetState(State::kAwaitSaslResponse);
      if (state_ == State::kBindAsked) return SetState(State::kAwaitBind);
      if (state_ == State::kRegistrationAsked) return SetState(State::kAwaitAuth);
      break;
    case Negotiated::FAILED:
      if (state_ == State::kBindAsked) return SetState(State::kAwaitBind);
      if (state_ != State::kAuthAsked) break;
      SetState(State::kAwaitAuth);
      return CountAuthFailure();
    case Negotiated::AUTHENTICATED:
      if (state_ != State::kAuthAsked) break;
      return Authenticated(answer);
    case Negotiated::BOUND:
      if (state_ != State::kBindAsked) break;
      return Bound(answer);
    case Negotiated::CLOSE:
      return Close(ReadError(answer.error()), CloseReason::kOrder);
    default:
      break;
  }
  runtime::LogWarn("unexpected_answer", "An answer that does not fit the stream's state.",
                   {{"conn_id", number_},
                    {"outcome", static_cast<int>(answer.outcome())},
                    {"state", Name(state_)}});
  Refuse(StreamCondition::kInternalServerError, "");
}

void C2sStream::CountAuthFailure() {
  loop_.counters().auth_failures.Add();
  if (++negotiation_->auth_failures >= loop_.settings().auth_failures) {
    Refuse(StreamCondition::kPolicyViolation, "too many failed authentications");
  }
}

void C2sStream::Authenticated(const Negotiated& answer) {
  negotiation_->ticket = answer.ticket();
  negotiation_->account = answer.account();
  negotiation_->domain.clear();
  xmpp::FramerLimits limits;
  limits.stanza_bytes = loop_.settings().stanza_bytes;
  framer_.SetLimits(limits);
  framer_.Restart();
  SetState(State::kAwaitHeaderAuthenticated);
}

void C2sStream::Bound(const Negotiated& answer) {
  jid_ = answer.jid();
  jid_.shrink_to_fit();
  runtime::LogDebug("session_bound", "A resource is bound.",
                    {{"conn_id", number_},
                     {"jid", jid_},
                     {"remote_ip", negotiation_->peer_address},
                     {"transport", Name(kind_)}});
  ReleaseHandshakeSlot();
  negotiation_.reset();
  deadline_ms_ = 0;
  SetState(State::kSession);
  // A stanza that came with the bind request may be half read already.
  WatchStanzaTime();
}

void C2sStream::OnNegotiationLost() {
  switch (state_) {
    case State::kAuthAsked:
    case State::kAwaitSaslResponse:
      // RFC 6120 §6.5.10: the client tries again, and meets another server.
      connection_.Send(WriteSaslFailure("temporary-auth-failure"));
      return SetState(State::kAwaitAuth);
    case State::kOpening:
    case State::kOpeningAuthenticated:
    case State::kBindAsked:
    case State::kRegistrationAsked:
      negotiation_->ask_again = true;
      return connection_.WakeAtTurnEnd();
    default:
      return;
  }
}

void C2sStream::AskAgain() {
  if (state_ == State::kOpening || state_ == State::kOpeningAuthenticated) AskForFeatures();
  if (state_ == State::kBindAsked || state_ == State::kRegistrationAsked) {
    loop_.links().Negotiate(number_, negotiation_->element, negotiation_->element_ns,
                            negotiation_->element_name);
  }
}

}  // namespace connmgr
