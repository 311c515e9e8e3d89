// One client's stream from its first byte to its last: RFC 6120 as seen from the manager.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connmgr/admission.h"
#include "connmgr/business_links.h"
#include "connmgr/connection.h"
#include "connmgr/settings.h"
#include "connmgr/token_bucket.h"
#include "lib/runtime/timer_wheel.h"
#include "lib/xmpp/framer.h"

namespace connmgr {

class ConnmgrLoop;

// Lives on its connection's loop, owned by its ConnmgrLoop. Layers: connection → TLS → framer →
// this. It knows no accounts: what depends on them it asks the business tier.
//
//   kProxyHeader → kTlsHandshake → kAwaitHeader → kOpening → kAwaitAuth ⇄ kAuthAsked
//                        ↑              ↓                        ⇅          ↓
//                        └─────── kAwaitStartTls        kAwaitSaslResponse  ↓
//   kSession ← kBindAsked ⇄ kAwaitBind ← kOpeningAuthenticated ← kAwaitHeaderAuthenticated
//
// kAwaitAuth ⇄ kRegistrationAsked: an iq that makes an account.
//
// In the states that wait for the business tier, for the window or for a drain, nothing is read.
class C2sStream final : private ConnectionUser,
                        private xmpp::FramerEvents,
                        private LinkClient,
                        private runtime::Timer {
 public:
  enum class State : uint8_t {
    kProxyHeader,
    kTlsHandshake,
    kAwaitHeader,
    kAwaitStartTls,  // TLS is required: only <starttls/> was offered
    kOpening,        // business is asked for the features before authentication
    kAwaitAuth,
    kAuthAsked,          // business has an element of SASL
    kAwaitSaslResponse,  // a challenge was written
    kRegistrationAsked,  // business has an iq of somebody who is not logged in
    kAwaitHeaderAuthenticated,
    kOpeningAuthenticated,
    kAwaitBind,
    kBindAsked,
    kSession,
    kSessionFull,      // the window is full
    kSessionDraining,  // told to end as soon as the window is accepted
    kClosing,          // our last words are written or queued
    kClosed,
  };

  C2sStream(ConnmgrLoop& loop, int fd, const ListenerSettings& listener,
            const SocketAddress& peer);
  ~C2sStream() override;

  // The first step; may end the stream at once.
  void Start();

  State state() const { return state_; }
  uint64_t connection() const { return number_; }
  const std::string& jid() const { return jid_; }
  // It was opened to; empty before its header.
  std::string_view domain() const;
  // For the memory accounting test: a parser, a negotiation, bytes read or to be written.
  bool HoldsMemoryWhileIdle() const {
    return framer_.HoldsParser() || negotiation_ != nullptr || leftover_ != nullptr ||
           connection_.queued() != 0;
  }

  // Ends the stream with `error`, once what is queued before it is written.
  void Close(const xmpp::StreamError& error, CloseReason reason);

  // Reads no more. A stream without a session ends at once.
  void BeginDrain();
  // Ends the session once its window is accepted, or now if `overdue`. True if there is nothing
  // left to wait for.
  bool ContinueDrain(bool overdue);

  // The links forget this stream. Called by the loop before it destroys it.
  void LeaveLinks();

  uint32_t slot = 0;  // where the loop keeps it

 private:
  // What only a stream without a session needs (performance rule 4).
  struct Negotiation;
  struct Rates {
    TokenBucket stanzas, bytes;
  };

  // ConnectionUser
  bool WantsInput() const override;
  void OnInput(std::string_view bytes) override;
  void OnProxied(const SocketAddress* client) override;
  void OnTlsEstablished() override;
  void OnTurnEnd() override;
  void OnLost(CloseReason reason) override;

  // FramerEvents
  bool OnStreamHeader(xmpp::StreamHeader header) override;
  bool OnStanza(xmpp::Stanza stanza) override;
  bool OnStreamEnd() override;
  void OnStreamError(xmpp::StreamError error) override;

  // LinkClient
  void OnNegotiated(const xylem::v1::Negotiated& answer) override;
  void OnNegotiationLost() override;
  TakenOutcome OnDeliver(std::string_view body, uint32_t splice_offset,
                         std::string_view to) override;
  void OnEnabled(std::string_view element) override;
  void OnNonza(std::string_view element) override;
  size_t WriteRoom() const override;
  size_t WriteLimit() const override;
  void OnWindowOpen() override;
  void OnCloseOrder(xmpp::StreamError error, bool fenced) override;

  // The only function that changes state_.
  void SetState(State next);

  // c2s_stream.cc
  void Consume(std::string_view bytes);
  void BeginClosing(CloseReason reason, std::string_view text);
  void Abort(CloseReason reason);
  void SendStreamHeader(const xmpp::StreamHeader& request);

  // c2s_negotiation.cc: before the session
  bool BeforeTls(const xmpp::Stanza& element);
  bool BeforeAuth(const xmpp::Stanza& element);
  bool BeforeBind(const xmpp::Stanza& element);
  bool Refuse(xmpp::StreamCondition condition, std::string text);
  bool RefuseElement(const xmpp::Stanza& element, xmpp::StreamCondition condition);
  void BeginTls(bool pipelined);
  void AskForFeatures();
  bool AskBusiness(const xmpp::Stanza& element);
  void WriteFeatures(std::string_view from_business);
  void AskAgain();
  void CountAuthFailure();
  void Authenticated(const xylem::v1::Negotiated& answer);
  void Bound(const xylem::v1::Negotiated& answer);

  // c2s_session.cc
  bool InSession(xmpp::Stanza stanza);
  bool SessionNonza(const xmpp::Stanza& element);
  bool StreamManagementNonza(const xmpp::Stanza& element);
  bool SubmitInSession(const xmpp::Stanza& stanza);
  bool SaysSession() const;
  bool IsOwnAddress(std::string_view from) const;

  // c2s_timers.cc
  static void OnTimer(runtime::Timer* timer);
  void Rearm();
  void OnDeadline();
  void WatchStanzaTime();
  bool PauseIfOverRate();
  void ReleaseHandshakeSlot();

  ConnmgrLoop& loop_;
  Connection connection_;
  xmpp::Framer framer_;
  std::unique_ptr<Negotiation> negotiation_;
  std::unique_ptr<std::string> leftover_;  // read from the socket, not yet by the framer
  std::unique_ptr<Rates> rates_;           // only where rates are configured
  std::unique_ptr<Admission::AddressKey> address_;  // only where addresses are counted
  uint64_t number_ = 0;                    // of the links; 0 = not registered
  uint64_t deadline_ms_ = 0;               // 0 = none
  uint64_t resume_ms_ = 0;                 // paused by the rate limit until then; 0 = not
  std::string jid_;                        // full JID, once bound
  std::string_view close_text_;            // why it ended, for the business tier and the log
  State state_;
  ConnectionKind kind_;
  CloseReason close_reason_ = CloseReason::kSocket;
};

const char* Name(C2sStream::State state);

}  // namespace connmgr
