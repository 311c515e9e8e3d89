#include "business/pep/event_fanout.h"

#include <algorithm>
#include <utility>

#include "business/feature.h"
#include "business/routing/feature_set.h"
#include "business/routing/server_stanza.h"
#include "business/routing/stanza_class.h"
#include "business/session/shard.h"
#include "lib/runtime/metrics.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/stanza.h"

namespace business {
namespace {

using xmpp::StanzaKind;

// Deliveries of more targets would make frames that others wait behind.
constexpr size_t kBatch = 500;

runtime::Counter& Notifications() {
  static runtime::Counter& counter = runtime::Metrics::Get().GetCounter(
      "xylem_pep_notifications_total", "Events of personal nodes sent to sessions");
  return counter;
}

class EventFanout final : public std::enable_shared_from_this<EventFanout> {
 public:
  EventFanout(Shard* shard, EventStanza stanza, absl::AnyInvocable<void()> done)
      : shard_(shard), stanza_(std::move(stanza)), done_(std::move(done)) {
    body_.bytes =
        xmpp::WithAddresses(stanza_.bytes, StanzaKind::kMessage, stanza_.from.ToString(), {});
    body_.splice_offset = xmpp::SpliceOffset(StanzaKind::kMessage);
    body_.kind = static_cast<uint8_t>(StanzaKind::kMessage);
    body_.stanza_class = kClassOutbox;
  }

  void Send(std::vector<EventTarget> targets) {
    std::vector<EventTarget> batch;
    for (EventTarget& target : targets) {
      if (!Wanted(target)) continue;
      Notifications().Add();
      // An outbox gives each stanza its number: account by account.
      if ((target.row.flags & cluster::kSessionStreamManagement) != 0) {
        ++open_;
        SendTo(target, [self = shared_from_this()](AccountDelivery::End) { self->OneDone(); });
        continue;
      }
      batch.push_back(std::move(target));
      if (batch.size() == kBatch) Deliver(std::exchange(batch, {}));
    }
    if (!batch.empty()) Deliver(std::move(batch));
    OneDone();
  }

 private:
  bool Wanted(const EventTarget& target) {
    const FeatureSet& features = *shard_->features;
    if (!features.HasStage(Stage::kToResource, StanzaKind::kMessage)) return true;
    xmpp::Stanza stanza;
    stanza.kind = StanzaKind::kMessage;
    stanza.type = stanza_.headline ? xmpp::StanzaType::kHeadline : xmpp::StanzaType::kNormal;
    stanza.bytes = stanza_.bytes;
    StageEvent event{.session = nullptr, .stanza = &stanza, .from = &stanza_.from,
                     .to = &target.account, .resource = &target.row, .id = stanza_.id};
    const StageVerdict verdict =
        features.RunStageNow(Stage::kToResource, StanzaKind::kMessage, event);
    return std::holds_alternative<Continue>(verdict);
  }

  static std::string FullOf(const EventTarget& target) {
    return target.account.ToString() + "/" + target.row.resource;
  }

  void Deliver(std::vector<EventTarget> batch) {
    std::vector<DeliverTarget> targets;
    targets.reserve(batch.size());
    for (const EventTarget& target : batch) {
      targets.push_back({.owner = target.row.owner,
                         .out_seq = 0,
                         .to = FullOf(target),
                         .effect = cluster::EffectId(stanza_.id, stanza_.index)});
    }
    ++open_;
    runtime::KillPoint("pep.before_fanout");
    shard_->metrics->StanzasOut(StanzaKind::kMessage).Add(targets.size());
    shard_->links->Deliver(body_, std::move(targets),
                           [self = shared_from_this(), batch = std::move(batch)](
                               const std::vector<DeliverOutcome>& outcomes) {
                             self->OnOutcomes(batch, outcomes);
                             self->OneDone();
                           });
  }

  void OnOutcomes(const std::vector<EventTarget>& batch,
                  const std::vector<DeliverOutcome>& outcomes) {
    for (size_t k = 0; k < batch.size(); ++k) {
      const DeliverOutcome outcome =
          k < outcomes.size() ? outcomes[k] : DeliverOutcome::kUnknown;
      if (outcome == DeliverOutcome::kTaken || outcome == DeliverOutcome::kBehind) continue;
      SendTo(batch[k], nullptr);
    }
  }

  // With a look-up of its own, and again until somebody took it or the session is gone.
  void SendTo(const EventTarget& target, ServerStanzaDone done) {
    ServerStanza stanza;
    stanza.kind = StanzaKind::kMessage;
    stanza.type = stanza_.headline ? xmpp::StanzaType::kHeadline : xmpp::StanzaType::kNormal;
    stanza.from = stanza_.from.ToString();
    stanza.to = xmpp::Jid::FromNormalized(FullOf(target));
    stanza.bytes = stanza_.bytes;
    stanza.id = stanza_.id;
    stanza.index = stanza_.index;
    stanza.choose = [session = target.row.session](
                        const std::vector<cluster::SessionRecord>& rows) {
      Recipients chosen;
      for (uint32_t i = 0; i < rows.size(); ++i) {
        if (rows[i].session == session) chosen.rows.push_back(i);
      }
      return chosen;
    };
    SendServerStanza(shard_, std::move(stanza), std::move(done));
  }

  void OneDone() {
    if (--open_ == 0 && done_) std::exchange(done_, nullptr)();
  }

  Shard* const shard_;
  const EventStanza stanza_;
  DeliverBody body_;
  absl::AnyInvocable<void()> done_;
  size_t open_ = 1;
};

}  // namespace

void SendEvent(Shard* shard, EventStanza stanza, std::vector<EventTarget> targets,
               absl::AnyInvocable<void()> done) {
  std::make_shared<EventFanout>(shard, std::move(stanza), std::move(done))
      ->Send(std::move(targets));
}

}  // namespace business
