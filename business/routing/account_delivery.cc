#include "business/routing/account_delivery.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <utility>

#include "business/routing/session_delivery.h"
#include "business/routing/stale_row.h"
#include "business/routing/stanza_class.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

constexpr uint64_t kFirstPauseMs = 20;
constexpr uint64_t kLongestPauseMs = 1000;

bool IsManaged(const cluster::SessionRecord& row) {
  return (row.flags & cluster::kSessionStreamManagement) != 0;
}

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
  const bool managed = std::any_of(chosen_.rows.begin(), chosen_.rows.end(),
                                   [this](uint32_t i) { return IsManaged(rows_[i]); });
  if (managed) return SendMixed(std::move(body), std::move(targets));
  shard_->links->Deliver(std::move(body), std::move(targets),
                         [self = Self()](const std::vector<DeliverOutcome>& outcomes) {
                           self->OnOutcomes(outcomes);
                         });
}

void AccountDelivery::SendMixed(DeliverBody body, std::vector<DeliverTarget> targets) {
  mixed_ = std::make_unique<Mixed>();
  mixed_->outcomes.assign(targets.size(), DeliverOutcome::kUnknown);
  std::vector<DeliverTarget> plain;
  for (uint32_t k = 0; k < targets.size(); ++k) {
    const bool has_outbox = IsManaged(rows_[chosen_.rows[k]]);
    (has_outbox ? mixed_->managed : mixed_->plain).push_back(k);
    (has_outbox ? mixed_->pushes : plain).push_back(std::move(targets[k]));
  }
  mixed_->open = plain.empty() ? 1 : 2;
  mixed_->body = std::move(body);
  Append();
  if (plain.empty()) return;
  shard_->links->Deliver(mixed_->body, std::move(plain),
                         [self = Self()](const std::vector<DeliverOutcome>& outcomes) {
                           Mixed& mixed = *self->mixed_;
                           for (size_t i = 0; i < mixed.plain.size(); ++i) {
                             mixed.outcomes[mixed.plain[i]] = outcomes[i];
                           }
                           self->OnPart();
                         });
}

std::string AccountDelivery::OthersThan(const cluster::SessionRecord& row) const {
  std::string others;
  for (uint32_t i : chosen_.rows) {
    if (rows_[i].session == row.session) continue;
    others += cluster::HexBytes(rows_[i].session).substr(0, cluster::OutboxEntry::kSessionPrefix);
  }
  return others;
}

void AccountDelivery::Append() {
  cluster::OutboxEntry entry;
  entry.stanza_class = mixed_->body.stanza_class;
  entry.kind = mixed_->body.kind;
  entry.flags = mixed_->body.flags;
  entry.effect = cluster::EffectId(Id(), Index());
  const auto stamp = static_cast<uint64_t>(mixed_->body.stamp_ms);
  if (entry.stanza_class == kClassDurable) {
    entry.stamp_ms = stamp != 0 ? stamp : cluster::WallClockMs();
  }
  entry.body = mixed_->body.bytes;
  std::vector<cluster::OutboxTarget> outboxes;
  for (size_t i = 0; i < mixed_->managed.size(); ++i) {
    const cluster::SessionRecord& row = rows_[chosen_.rows[mixed_->managed[i]]];
    outboxes.push_back({row.resource, row.session, mixed_->pushes[i].to, OthersThan(row)});
  }
  shard_->outbox->Append(
      account_, Origin(), entry, outboxes,
      [self = Self()](runtime::Result<std::vector<cluster::AppendResult>> results) {
        self->OnAppended(results);
      });
}

// What is in an outbox is delivered; pushing it to the manager is a hint.
void AccountDelivery::OnAppended(
    const runtime::Result<std::vector<cluster::AppendResult>>& results) {
  using Append = cluster::AppendResult::Outcome;
  runtime::KillPoint("append.after");
  OutboxPush push(shard_, account_);
  for (size_t i = 0; results && i < results->size(); ++i) {
    const cluster::AppendResult& result = (*results)[i];
    const cluster::SessionRecord& row = rows_[chosen_.rows[mixed_->managed[i]]];
    const bool appended = result.outcome == Append::kAppended || result.outcome == Append::kFull;
    // Else it is looked for again.
    const bool has_it = appended || result.outcome == Append::kSeen;
    mixed_->outcomes[mixed_->managed[i]] =
        has_it ? DeliverOutcome::kTaken : DeliverOutcome::kNoLink;
    if (result.outcome == Append::kFull || result.outcome == Append::kOver) {
      PartFromFullOutbox(shard_, account_, row);
    }
    if (has_it) push.Add(row, std::move(mixed_->pushes[i]), result.out_seq, appended);
  }
  push.Send(std::move(mixed_->body));
  OnPart();
}

void AccountDelivery::OnPart() {
  if (--mixed_->open > 0) return;
  const std::unique_ptr<Mixed> mixed = std::move(mixed_);
  OnOutcomes(mixed->outcomes);
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
