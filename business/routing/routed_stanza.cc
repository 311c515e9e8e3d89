#include "business/routing/routed_stanza.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <utility>

#include "business/message/kept_message.h"
#include "business/message/message_metrics.h"
#include "business/routing/feature_set.h"
#include "business/routing/sender_reply.h"
#include "business/routing/stanza_class.h"
#include "business/routing/stanza_reply.h"
#include "business/session/backoff.h"
#include "business/session/ownership_guard.h"
#include "business/session/session.h"
#include "business/session/shard.h"

namespace business {
namespace {

using Clock = std::chrono::steady_clock;

// While a commit takes so long, a client may log in, turn copies on and read its archive, none of
// which the check before the commit knows.
constexpr uint64_t kSlowStoreMs = 20;

bool TimeThisOne() {
  static thread_local uint32_t count = 0;
  return (++count & 15) == 0;
}

uint64_t Microseconds(Clock::duration d) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

}  // namespace

RoutedStanza::RoutedStanza(std::shared_ptr<Session> session, uint64_t in_seq, xmpp::Stanza stanza,
                           xmpp::Jid to, const cluster::ClusterId& id)
    : Submission(session, in_seq),
      AccountDelivery(&session->shard(), *xmpp::BareJid::From(to)),
      stanza_(std::move(stanza)),
      to_(std::move(to)),
      id_(id) {
  recipient_ = absl::HashOf(account().ToString()) | 1;
  if (TimeThisOne()) {
    times_ = std::make_unique<Times>();
    times_->taken = Clock::now();
  }
}

std::shared_ptr<RoutedStanza> RoutedStanza::Me() {
  return std::static_pointer_cast<RoutedStanza>(shared_from_this());
}

std::shared_ptr<AccountDelivery> RoutedStanza::Self() {
  return std::shared_ptr<AccountDelivery>(shared_from_this(), this);
}

bool RoutedStanza::Abandoned() const { return session_->gone() || state_ == State::kFinished; }

void RoutedStanza::Prepare() {
  event_ = {.session = session_, .stanza = &stanza_, .from = &session_->full(), .to = &to_,
            .resource = nullptr, .id = id_};
  RunStages(Stage::kFromClient);
}

void RoutedStanza::RunStages(Stage stage) {
  const FeatureSet& features = *shard().features;
  if (!features.HasStage(stage, stanza_.kind)) {
    OnStage(stage, Continue{});
    return;
  }
  features.RunStage(stage, stanza_.kind, event_, [self = Me(), stage](StageVerdict verdict) {
    self->OnStage(stage, std::move(verdict));
  });
}

void RoutedStanza::OnStage(Stage stage, StageVerdict verdict) {
  if (Abandoned()) return;
  if (stage == Stage::kNoResource) {
    OnNobody(std::move(verdict));
  } else if (auto* error = std::get_if<xmpp::StanzaError>(&verdict)) {
    Bounce(std::move(*error));
  } else if (std::holds_alternative<Handled>(verdict)) {
    Finish();
  } else if (stage == Stage::kFromClient) {
    RunStages(Stage::kToAccount);
  } else if (stage == Stage::kToAccount && event_.kept) {
    event_.kept->WhenDecided([self = Me()] { self->OnKeptDecided(); });
  } else {
    StartLookUp();
  }
}

void RoutedStanza::OnKeptDecided() {
  if (Abandoned()) return;
  if (event_.kept->by_anybody()) {
    Become(State::kStoreWanted);
  } else {
    StartLookUp();
  }
}

void RoutedStanza::Store() {
  store_began_ms_ = shard().loop->NowMs();
  RunStages(Stage::kStore);
}

void RoutedStanza::StartLookUp() {
  slow_store_ = store_began_ms_ != 0 && shard().loop->NowMs() - store_began_ms_ >= kSlowStoreMs;
  if (times_) times_->looking = Clock::now();
  LookUp();
}

void RoutedStanza::OnLookedUp() {
  owners_ = OwnersHash();
  Become(State::kPrepared);
}

Recipients RoutedStanza::Choose(const std::vector<cluster::SessionRecord>& rows) {
  Recipients chosen = ChooseRecipients(stanza_.kind, stanza_.type, to_.resource(), rows);
  if (stanza_.kind == xmpp::StanzaKind::kMessage) NoteChosen(rows, chosen);
  const FeatureSet& features = *shard().features;
  if (!features.HasStage(Stage::kToResource, stanza_.kind)) return chosen;
  auto keep = chosen.rows.begin();
  for (uint32_t i : chosen.rows) {
    event_.resource = &rows[i];
    const StageVerdict verdict = features.RunStageNow(Stage::kToResource, stanza_.kind, event_);
    if (std::holds_alternative<Continue>(verdict)) *keep++ = i;
  }
  chosen.rows.erase(keep, chosen.rows.end());
  event_.resource = nullptr;
  return chosen;
}

MessageCopies& RoutedStanza::Copies() {
  if (!copies_) {
    copies_ = std::make_unique<MessageCopies>(MessageCopies::Original{
        .sender = *session_, .stanza = stanza_, .to = to_, .recipient = account(), .id = id_});
  }
  return *copies_;
}

bool RoutedStanza::SenderMayWantCopies() const {
  return stanza_.kind == xmpp::StanzaKind::kMessage && (session_->copies_wanted || slow_store_);
}

void RoutedStanza::NoteChosen(const std::vector<cluster::SessionRecord>& rows,
                              const Recipients& chosen) {
  const bool wanted = std::any_of(rows.begin(), rows.end(), WantsCopies);
  if (wanted || copies_) Copies().NoteChosen(rows, chosen);
}

void RoutedStanza::SendCopy(std::optional<ServerStanza> copy) {
  if (!copy) return;
  ++open_;
  SendServerStanza(&shard(), *std::move(copy), [self = Me()](End end) {
    if (end == End::kTaken) MessageMetrics::Get().copied.Add();
    self->OneDone();
  });
}

void RoutedStanza::OneDone() {
  if (--open_ == 0 && !Abandoned()) Finish();
}

void RoutedStanza::Issue() {
  const SubmissionPtr hold = shared_from_this();  // a step may end the session
  if (SenderMayWantCopies()) {
    SendCopy(Copies().Sent(event_.kept && event_.kept->by_sender));
  }
  Send();
  // Nobody chosen: if it is kept for later, see OnNobody.
  if (copies_ && copies_->anybody_chosen()) SendCopy(copies_->Received());
}

DeliverBody RoutedStanza::Body() {
  if (times_ && !issued_once_) times_->issued = Clock::now();
  issued_once_ = true;
  DeliverBody body;
  body.bytes = xmpp::WithAddresses(stanza_.bytes, stanza_.kind, session_->full().ToString(), {});
  body.splice_offset = xmpp::SpliceOffset(stanza_.kind);
  body.kind = static_cast<uint8_t>(stanza_.kind);
  body.stanza_class = ClassOf(stanza_);
  body.flags = stanza_.flags;
  if (event_.kept && event_.kept->by_recipient) body.flags |= kDeliverArchived;
  if (event_.kept) body.stamp_ms = event_.kept->stamp_ms;
  return body;
}

void RoutedStanza::OnTryAgain() {
  // Never issued: whoever comes behind has to wait for it all the same.
  if (state_ == State::kPreparing) {
    LookUp();
  } else {
    Become(State::kRetryWanted);
  }
}

void RoutedStanza::Retry() {
  state_ = State::kPreparing;
  check = shard().guard->Require(session_->shared_from_this());
  LookUp();
}

void RoutedStanza::OnDelivered(End end) {
  switch (end) {
    case End::kTaken:
      if (in_seq_ <= session_->resubmitted && ClassOf(stanza_) == kClassDurable) {
        runtime::Spawn(ForgetFirstTry(Me()));
      } else {
        OneDone();
      }
      return;
    case End::kNobody:
      if (in_seq_ <= session_->resubmitted) {
        runtime::Spawn(AskWhetherSeen(Me()));
      } else {
        RunStages(Stage::kNoResource);
      }
      return;
    case End::kUndeliverable:
      Bounce(xmpp::StanzaError::RecipientUnavailable());
      return;
    case End::kNoRegistry:
      Bounce(xmpp::StanzaError::ResourceConstraint());
      return;
  }
}

runtime::Task<void> RoutedStanza::ForgetFirstTry(std::shared_ptr<RoutedStanza> self) {
  co_await ForgetOfflineRow(&self->shard(), self->account(),
                            cluster::EffectId(self->id_, self->Index()));
  if (!self->Abandoned()) self->OneDone();
}

runtime::Task<void> RoutedStanza::AskWhetherSeen(std::shared_ptr<RoutedStanza> self) {
  Shard& shard = self->shard();
  Backoff backoff(shard.loop);
  for (;;) {
    const auto seen = co_await shard.outbox->WasSeen(
        self->account(), self->Origin(), cluster::EffectId(self->id_, self->Index()));
    if (self->Abandoned()) co_return;
    if (seen && *seen) self->OneDone();
    if (seen && !*seen) self->RunStages(Stage::kNoResource);
    if (seen) co_return;
    co_await backoff.Pause();
    if (self->Abandoned()) co_return;
  }
}

void RoutedStanza::OnNobody(StageVerdict verdict) {
  if (auto* error = std::get_if<xmpp::StanzaError>(&verdict)) {
    Bounce(std::move(*error));
  } else if (std::holds_alternative<Handled>(verdict)) {
    if (copies_) SendCopy(copies_->Received());
    OneDone();
  } else if (nobody() == NobodyThere::kError) {
    Bounce(xmpp::StanzaError::ServiceUnavailable());
  } else {
    shard().metrics->CountDrop("no_resource");
    OneDone();
  }
}

void RoutedStanza::Bounce(xmpp::StanzaError error) {
  // Presence that tells of its sender only is never answered (RFC 6121 §8.5).
  if (!MayBeBounced(stanza_) || stanza_.type == xmpp::StanzaType::kUnavailable) {
    shard().metrics->CountDrop("not_bounced");
    Finish();
    return;
  }
  shard().metrics->CountError(error.condition);
  error_ = std::make_unique<xmpp::StanzaError>(std::move(error));
  Become(State::kReplyWanted);
}

void RoutedStanza::Reply() {
  std::string error = WriteError(stanza_.kind, stanza_.id, to_.ToString(), *error_);
  if (auto copy = copies_ ? copies_->OfError(error) : std::nullopt) {
    SendServerStanza(&shard(), *std::move(copy), nullptr);
  }
  ReplyToSender(shared_from_this(), stanza_.kind, std::move(error), id_);
}

void RoutedStanza::Finish() {
  if (times_) {
    const auto now = Clock::now();
    BusinessMetrics& m = *shard().metrics;
    m.routing_seconds.Observe(std::chrono::duration<double>(now - times_->taken).count());
    if (issued_once_) {
      m.sampled.Add();
      m.sample_parse_us.Add(Microseconds(times_->looking - times_->taken));
      m.sample_redis_us.Add(Microseconds(times_->issued - times_->looking));
      m.sample_deliver_us.Add(Microseconds(now - times_->issued));
    }
  }
  Become(State::kFinished);
}

}  // namespace business
