// Time and rates of a stream: one timer, armed for whatever comes first.
#include <algorithm>

#include "connmgr/c2s_stream.h"
#include "connmgr/connmgr_loop.h"
#include "connmgr/stream_negotiation.h"

namespace connmgr {
namespace {

constexpr uint64_t kSlotAgainMs = 1000;

}  // namespace

void C2sStream::OnTimer(runtime::Timer* timer) {
  auto* self = static_cast<C2sStream*>(timer);
  const uint64_t now = self->loop_.loop().NowMs();
  if (Negotiation* n = self->negotiation_.get();
      n != nullptr && n->slot_check_ms != 0 && now >= n->slot_check_ms) {
    // It waits for the client, not for us: others may have its place.
    if (self->state_ == State::kTlsHandshake || self->WantsInput() ||
        self->state_ == State::kProxyHeader) {
      self->ReleaseHandshakeSlot();
    } else {
      n->slot_check_ms = now + kSlotAgainMs;
    }
  }
  if (self->resume_ms_ != 0 && now >= self->resume_ms_) {
    self->resume_ms_ = 0;
    self->connection_.WakeAtTurnEnd();
  }
  if (self->deadline_ms_ != 0 && now >= self->deadline_ms_) return self->OnDeadline();
  self->Rearm();
}

void C2sStream::Rearm() {
  uint64_t wake = UINT64_MAX;
  for (uint64_t at : {deadline_ms_, resume_ms_,
                      negotiation_ != nullptr ? negotiation_->slot_check_ms : uint64_t{0}}) {
    if (at != 0) wake = std::min(wake, at);
  }
  if (wake == UINT64_MAX) return Cancel();
  const uint64_t now = loop_.loop().NowMs();
  loop_.loop().Arm(this, std::chrono::milliseconds(wake > now ? wake - now : 0));
}

void C2sStream::OnDeadline() {
  deadline_ms_ = 0;
  switch (state_) {
    case State::kProxyHeader:
      return Abort(CloseReason::kProxy);
    case State::kTlsHandshake:
      return Abort(CloseReason::kTimeout);
    case State::kClosing:
      return Abort(CloseReason::kTimeout);
    case State::kClosed:
      return;
    case State::kOpening:
    case State::kAuthAsked:
    case State::kRegistrationAsked:
    case State::kOpeningAuthenticated:
    case State::kBindAsked:
      // It was not the client that was slow (RFC 6120 §4.9.3.15).
      return Close({xmpp::StreamCondition::kRemoteConnectionFailed, "", {}},
                   CloseReason::kTimeout);
    default:
      return Close({xmpp::StreamCondition::kConnectionTimeout, "", {}}, CloseReason::kTimeout);
  }
}

// A stanza must be complete some time after its first byte (tests/attacks, row 17). While nothing
// is read because of us, time stands still.
void C2sStream::WatchStanzaTime() {
  if (state_ != State::kSession || negotiation_ != nullptr) return;
  if (!framer_.InStanza()) {
    deadline_ms_ = 0;
  } else if (deadline_ms_ == 0) {
    deadline_ms_ = loop_.loop().NowMs() +
                   static_cast<uint64_t>(loop_.settings().stanza_time.count());
    Rearm();
  }
}

bool C2sStream::PauseIfOverRate() {
  if (rates_ == nullptr || state_ >= State::kClosing || resume_ms_ != 0) return resume_ms_ != 0;
  const auto debt = std::max(rates_->stanzas.Debt(), rates_->bytes.Debt());
  if (debt.count() == 0) return false;
  loop_.counters().rate_pauses.Add();
  resume_ms_ = loop_.loop().NowMs() + static_cast<uint64_t>(debt.count());
  if (state_ == State::kSession && deadline_ms_ != 0) {
    deadline_ms_ += static_cast<uint64_t>(debt.count());
  }
  Rearm();
  return true;
}

void C2sStream::ReleaseHandshakeSlot() {
  if (negotiation_ == nullptr || negotiation_->slot_check_ms == 0) return;
  negotiation_->slot_check_ms = 0;
  loop_.admission().EndHandshake();
}

}  // namespace connmgr
