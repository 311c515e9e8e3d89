#include "business/presence/subscription_submission.h"

#include <absl/hash/hash.h>

#include <utility>

#include "business/feature.h"
#include "business/routing/feature_set.h"
#include "business/routing/sender_reply.h"
#include "business/routing/stanza_reply.h"
#include "business/session/session.h"
#include "business/session/shard.h"

namespace business {

using xmpp::StanzaError;

SubscriptionSubmission::SubscriptionSubmission(std::shared_ptr<Session> session, uint64_t in_seq,
                                               SubscriptionStanza stanza, std::string id)
    : Submission(std::move(session), in_seq), stanza_(std::move(stanza)), id_(std::move(id)) {
  recipient_ = absl::HashOf(stanza_.to.ToString()) | 1;
}

void SubscriptionSubmission::Prepare() {
  runtime::Spawn(Run(std::static_pointer_cast<SubscriptionSubmission>(shared_from_this())));
}

runtime::Task<void> SubscriptionSubmission::Run(std::shared_ptr<SubscriptionSubmission> self) {
  Shard& shard = self->session().shard();
  const bool refused = co_await self->Refused();
  if (refused) co_return;
  const auto outcome = co_await SendSubscription(&shard, self->stanza_, self->effects_);
  if (self->session().gone()) {
    // What was written is written, and has to be told even if nobody submits it again; another home
    // that gets it finds it repeated.
    IssueSubscriptionEffects(&shard, std::move(*self->effects_), nullptr);
    co_return;
  }
  if (outcome && *outcome != RosterUpdate::Outcome::kFull) {
    self->Become(State::kPrepared);
    co_return;
  }
  self->error_ = std::make_unique<StanzaError>(
      outcome ? StanzaError::ResourceConstraint("the roster is full")
              : StanzaError::ResourceConstraint());
  shard.metrics->CountError(self->error_->condition);
  self->Become(State::kReplyWanted);
}

// By a feature.
runtime::Task<bool> SubscriptionSubmission::Refused() {
  const FeatureSet& features = *session().shard().features;
  if (!features.HasStage(Stage::kFromClient, xmpp::StanzaKind::kPresence)) co_return false;
  xmpp::Stanza stanza;
  stanza.kind = xmpp::StanzaKind::kPresence;
  stanza.type = stanza_.type;
  stanza.id = id_;
  stanza.bytes = stanza_.bytes;
  StageEvent event{.session = session_, .stanza = &stanza, .from = &session().full(),
                   .to = &stanza_.to, .resource = nullptr, .id = stanza_.id};
  runtime::OneShot<StageVerdict> said;
  features.RunStage(Stage::kFromClient, xmpp::StanzaKind::kPresence, event,
                    [&said](StageVerdict verdict) { said.Set(std::move(verdict)); });
  StageVerdict verdict = co_await said;
  if (session().gone() || std::holds_alternative<Continue>(verdict)) co_return session().gone();
  if (auto* error = std::get_if<StanzaError>(&verdict)) {
    session().shard().metrics->CountError(error->condition);
    error_ = std::make_unique<StanzaError>(std::move(*error));
    Become(State::kReplyWanted);
  } else {
    Become(State::kFinished);
  }
  co_return true;
}

void SubscriptionSubmission::Issue() {
  IssueSubscriptionEffects(&session().shard(), std::move(*effects_),
                           [self = shared_from_this()] { self->Become(State::kFinished); });
}

void SubscriptionSubmission::Reply() {
  ReplyToSender(shared_from_this(), xmpp::StanzaKind::kPresence,
                WriteError(xmpp::StanzaKind::kPresence, id_, stanza_.to.ToString(), *error_),
                stanza_.id);
}

}  // namespace business
