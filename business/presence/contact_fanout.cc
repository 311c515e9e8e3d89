#include "business/presence/contact_fanout.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "business/feature.h"
#include "business/routing/feature_set.h"
#include "business/routing/server_stanza.h"
#include "business/routing/stale_row.h"
#include "business/routing/stanza_class.h"
#include "business/session/shard.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/stanza.h"

namespace business {
namespace {

using cluster::SessionRecord;
using xmpp::StanzaKind;

constexpr uint64_t kFirstPauseMs = 20;
constexpr uint64_t kLongestPauseMs = 1000;

DeliverBody BodyOf(const BroadcastPresence& presence) {
  DeliverBody body;
  body.bytes =
      xmpp::WithAddresses(presence.bytes, StanzaKind::kPresence, presence.from.ToString(), {});
  body.splice_offset = xmpp::SpliceOffset(StanzaKind::kPresence);
  body.kind = static_cast<uint8_t>(StanzaKind::kPresence);
  body.stanza_class = kClassPresence;
  body.flags = presence.flags;
  return body;
}

}  // namespace

ContactFanout::ContactFanout(Shard* shard, BroadcastPresence presence)
    : shard_(shard), presence_(std::move(presence)), body_(BodyOf(presence_)) {}

void ContactFanout::Send(std::vector<ContactRows> contacts, absl::AnyInvocable<void()> done) {
  contacts_ = std::move(contacts);
  done_ = std::move(done);
  started_ms_ = shard_->loop->NowMs();
  missing_.assign(contacts_.size(), false);
  Deliver();
}

void ContactFanout::Deliver() {
  open_ = 1;
  std::vector<Target> targets = Choose();
  for (size_t begin = 0; begin < targets.size(); begin += kBatch) {
    const size_t end = std::min(begin + kBatch, targets.size());
    DeliverBatch(std::vector<Target>(targets.begin() + static_cast<ptrdiff_t>(begin),
                                     targets.begin() + static_cast<ptrdiff_t>(end)));
  }
  OneDone();
}

std::vector<ContactFanout::Target> ContactFanout::Choose() {
  std::vector<Target> targets;
  for (uint32_t c = 0; c < contacts_.size(); ++c) {
    const ContactRows& contact = contacts_[c];
    if (!contact.rows || (contact.rows->empty() && !shard_->generation->settled())) {
      missing_[c] = true;  // not known, or its sessions may not have been announced yet
      continue;
    }
    const size_t before = targets.size();
    bool managed = false;
    for (uint32_t r = 0; r < contact.rows->size(); ++r) {
      const SessionRecord& row = (*contact.rows)[r];
      if (!Wanted(row, contact.account)) continue;
      managed = managed || (row.flags & cluster::kSessionStreamManagement) != 0;
      targets.push_back({c, r});
    }
    if (!managed) continue;
    targets.resize(before);
    SendToAccount(contact.account);
  }
  return targets;
}

void ContactFanout::SendToAccount(const xmpp::BareJid& account) {
  ServerStanza stanza;
  stanza.kind = StanzaKind::kPresence;
  stanza.type = presence_.available ? xmpp::StanzaType::kNone : xmpp::StanzaType::kUnavailable;
  stanza.from = presence_.from.ToString();
  stanza.to = account;
  stanza.bytes = presence_.bytes;
  stanza.stanza_class = kClassPresence;
  stanza.flags = presence_.flags;
  stanza.id = presence_.id;
  stanza.index = presence_.index;
  stanza.choose = [self = shared_from_this(), account](const std::vector<SessionRecord>& rows) {
    Recipients chosen;
    for (uint32_t i = 0; i < rows.size(); ++i) {
      if (self->Wanted(rows[i], account)) chosen.rows.push_back(i);
    }
    return chosen;
  };
  ++open_;
  SendServerStanza(shard_, std::move(stanza),
                   [self = shared_from_this()](AccountDelivery::End) { self->OneDone(); });
}

bool ContactFanout::Wanted(const SessionRecord& row, const xmpp::BareJid& account) {
  if (!row.available || taken_.contains(row.session)) return false;
  const FeatureSet& features = *shard_->features;
  if (!features.HasStage(Stage::kToResource, StanzaKind::kPresence)) return true;
  xmpp::Stanza stanza;
  stanza.kind = StanzaKind::kPresence;
  stanza.type = presence_.available ? xmpp::StanzaType::kNone : xmpp::StanzaType::kUnavailable;
  stanza.flags = presence_.flags;
  stanza.bytes = presence_.bytes;
  StageEvent event{.session = nullptr, .stanza = &stanza, .from = &presence_.from, .to = &account,
                   .resource = &row, .id = presence_.id};
  const StageVerdict verdict =
      features.RunStageNow(Stage::kToResource, StanzaKind::kPresence, event);
  return std::holds_alternative<Continue>(verdict);
}

void ContactFanout::DeliverBatch(std::vector<Target> batch) {
  std::vector<DeliverTarget> targets;
  targets.reserve(batch.size());
  for (const Target& target : batch) {
    const ContactRows& contact = contacts_[target.contact];
    targets.push_back({.owner = (*contact.rows)[target.row].owner,
                       .out_seq = 0,
                       .to = contact.account.ToString(),
                       .effect = cluster::EffectId(presence_.id, presence_.index)});
  }
  ++open_;
  runtime::KillPoint("presence.before_fanout");
  shard_->metrics->StanzasOut(StanzaKind::kPresence).Add(targets.size());
  shard_->links->Deliver(body_, std::move(targets),
                         [self = shared_from_this(), batch = std::move(batch)](
                             const std::vector<DeliverOutcome>& outcomes) {
                           self->OnOutcomes(batch, outcomes);
                           self->OneDone();
                         });
}

void ContactFanout::OnOutcomes(const std::vector<Target>& batch,
                               const std::vector<DeliverOutcome>& outcomes) {
  for (size_t k = 0; k < batch.size(); ++k) {
    const ContactRows& contact = contacts_[batch[k].contact];
    const SessionRecord& row = (*contact.rows)[batch[k].row];
    switch (k < outcomes.size() ? outcomes[k] : DeliverOutcome::kUnknown) {
      case DeliverOutcome::kTaken:
      case DeliverOutcome::kBehind:
        if (contact.rows->size() > 1) taken_.insert(row.session);
        break;
      case DeliverOutcome::kNotHere:
      case DeliverOutcome::kOverflowed:
        NoteRefusal(contact, row);
        missing_[batch[k].contact] = true;
        break;
      case DeliverOutcome::kNoLink:
      case DeliverOutcome::kUnknown:
        missing_[batch[k].contact] = true;
        break;
    }
  }
}

void ContactFanout::NoteRefusal(const ContactRows& contact, const SessionRecord& row) {
  const uint64_t now = shard_->loop->NowMs();
  const auto [since, first] = refused_.try_emplace(row.owner.epoch, now);
  if (!first && now - since->second >= kRefusalProvesMs) {
    runtime::Spawn(EndStaleRow(shard_, contact.account, row));
  }
}

void ContactFanout::OneDone() {
  if (--open_ > 0) return;
  if (done_) std::exchange(done_, nullptr)();
  std::vector<ContactRows> left;
  for (size_t c = 0; c < contacts_.size(); ++c) {
    if (missing_[c]) left.push_back({std::move(contacts_[c].account), std::nullopt});
  }
  contacts_ = std::move(left);
  if (contacts_.empty()) return;
  if (shard_->loop->NowMs() - started_ms_ >= AccountDelivery::kDeliveryDeadlineMs) {
    shard_->metrics->CountDrop("presence_undeliverable");
    return;
  }
  Again();
}

void ContactFanout::Again() {
  shard_->metrics->retries.Add();
  const uint64_t pause = std::min(kFirstPauseMs << std::min(attempts_, 10u), kLongestPauseMs);
  ++attempts_;
  shard_->loop->RunAfter(std::chrono::milliseconds(pause), [self = shared_from_this()] {
    std::vector<xmpp::BareJid> accounts{self->presence_.from.Bare()};
    for (const ContactRows& contact : self->contacts_) accounts.push_back(contact.account);
    LookUpContacts(self->shard_, std::move(accounts), [self](std::vector<ContactRows> read) {
      self->OnReadAgain(std::move(read));
    });
  });
}

void ContactFanout::OnReadAgain(std::vector<ContactRows> read) {
  if (read.front().rows && Superseded(*read.front().rows)) return;
  read.erase(read.begin());
  contacts_ = std::move(read);
  missing_.assign(contacts_.size(), false);
  Deliver();
}

bool ContactFanout::Superseded(const std::vector<SessionRecord>& own) const {
  for (const SessionRecord& row : own) {
    if (row.resource != presence_.from.resource()) continue;
    if (row.owner.epoch != presence_.epoch) return row.owner.epoch > presence_.epoch;
    return !presence_.ended && row.presence_number > presence_.number;
  }
  // No row: it ended, and who ended it tells everybody. Redis may have lost it, too; then what it
  // said last is still true.
  return presence_.available && shard_->generation->settled();
}

}  // namespace business
