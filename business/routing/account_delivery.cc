#include "business/routing/account_delivery.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <utility>

#include "business/routing/stale_row.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

constexpr uint64_t kFirstPauseMs = 20;
constexpr uint64_t kLongestPauseMs = 1000;

}  // namespace

AccountDelivery::AccountDelivery(Shard* shard, xmpp::BareJid account)
    : shard_(shard), account_(std::move(account)), started_ms_(shard->loop->NowMs()) {}

void AccountDelivery::LookUp() {
  shard_->registry->Lookup(
      account_, [self = Self()](runtime::Result<std::vector<cluster::SessionRecord>> rows) {
        self->OnRows(std::move(rows));
      });
}

void AccountDelivery::OnRows(runtime::Result<std::vector<cluster::SessionRecord>> rows) {
  if (Abandoned()) return;
  if (!rows) {
    if (shard_->loop->NowMs() - started_ms_ >= kRegistryDeadlineMs) {
      OnDelivered(End::kNoRegistry);
    } else {
      Pause();
    }
    return;
  }
  rows_ = std::move(*rows);
  chosen_is_new_ = false;
  OnLookedUp();
}

void AccountDelivery::ChooseNow() {
  if (chosen_is_new_) return;
  chosen_is_new_ = true;
  chosen_ = Choose(rows_);
  if (taken_.empty()) return;
  const auto took = [this](uint32_t i) {
    return std::find(taken_.begin(), taken_.end(), rows_[i].session) != taken_.end();
  };
  chosen_.rows.erase(std::remove_if(chosen_.rows.begin(), chosen_.rows.end(), took),
                     chosen_.rows.end());
}

uint64_t AccountDelivery::OwnersHash() {
  ChooseNow();
  uint64_t hash = 1;  // 0 stands for "not known"
  for (uint32_t i : chosen_.rows) {
    const cluster::Owner& owner = rows_[i].owner;
    hash = absl::HashOf(hash, owner.incarnation, owner.connection, owner.epoch) | 1;
  }
  return hash;
}

void AccountDelivery::Send() {
  ChooseNow();
  if (chosen_.rows.empty()) {
    if (anybody_took()) {
      OnDelivered(End::kTaken);
    } else if (!shard_->generation->settled()) {
      Pause();  // the recipient may not have been announced yet
    } else {
      OnDelivered(End::kNobody);
    }
    return;
  }
  std::vector<DeliverTarget> targets;
  targets.reserve(chosen_.rows.size());
  for (uint32_t i : chosen_.rows) {
    targets.push_back({.owner = rows_[i].owner,
                       .out_seq = 0,
                       .to = WrittenToRow(rows_[i]),
                       .effect = cluster::EffectId(Id(), Index())});
  }
  runtime::KillPoint("route.before_deliver");
  DeliverBody body = Body();
  shard_->metrics->StanzasOut(static_cast<xmpp::StanzaKind>(body.kind)).Add(targets.size());
  shard_->links->Deliver(std::move(body), std::move(targets),
                         [self = Self()](const std::vector<DeliverOutcome>& outcomes) {
                           self->OnOutcomes(outcomes);
                         });
}

void AccountDelivery::OnOutcomes(const std::vector<DeliverOutcome>& outcomes) {
  if (Abandoned()) return;
  runtime::KillPoint("route.after_taken");
  bool all = true;
  for (size_t k = 0; k < chosen_.rows.size(); ++k) {
    const cluster::SessionRecord& row = rows_[chosen_.rows[k]];
    switch (k < outcomes.size() ? outcomes[k] : DeliverOutcome::kUnknown) {
      case DeliverOutcome::kTaken:
      case DeliverOutcome::kBehind:
        if (chosen_.rows.size() > 1) taken_.push_back(row.session);
        break;
      case DeliverOutcome::kNotHere:
      case DeliverOutcome::kOverflowed:
        NoteRefusal(row);
        all = false;
        break;
      case DeliverOutcome::kNoLink:
      case DeliverOutcome::kUnknown:
        all = false;
        break;
    }
  }
  if (all) {
    OnDelivered(End::kTaken);
  } else if (shard_->loop->NowMs() - started_ms_ >= kDeliveryDeadlineMs) {
    OnDelivered(anybody_took() ? End::kTaken : End::kUndeliverable);
  } else {
    Pause();
  }
}

void AccountDelivery::NoteRefusal(const cluster::SessionRecord& row) {
  const uint64_t now = shard_->loop->NowMs();
  for (const Refusal& refusal : refused_) {
    if (refusal.epoch != row.owner.epoch) continue;
    if (now - refusal.since_ms >= kRefusalProvesMs) {
      runtime::Spawn(EndStaleRow(shard_, account_, row));
    }
    return;
  }
  refused_.push_back({row.owner.epoch, now});
}

void AccountDelivery::Pause() {
  shard_->metrics->retries.Add();
  OnPause();
  const uint64_t pause = std::min(kFirstPauseMs << std::min(attempts_, 10u), kLongestPauseMs);
  ++attempts_;
  shard_->loop->RunAfter(std::chrono::milliseconds(pause), [self = Self()] {
    if (!self->Abandoned()) self->OnTryAgain();
  });
}

}  // namespace business
