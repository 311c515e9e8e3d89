#include "business/history/message_archive.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "business/history/retraction.h"
#include "business/message/kept_message.h"
#include "business/message/message_content.h"
#include "business/message/message_metrics.h"
#include "business/message/stanza_ids.h"
#include "business/routing/account_delivery.h"
#include "business/session/backoff.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::BareJid;
using xmpp::Jid;

constexpr uint64_t kDeadlineMs = 25000;

struct Parties {
  BareJid sender, recipient;
  Jid from, to;
  bool to_self() const { return sender == recipient; }
};

// Both look-ups in one pipeline, beside the check of the session's ownership.
void Decide(ArchivePreferencesCache* preferences, const Parties& parties,
            const std::shared_ptr<KeptMessage>& kept) {
  auto open = std::make_shared<int>(kept->by_sender ? 2 : 1);
  const auto answered = [kept, open] {
    if (--*open == 0) kept->Decided();
  };
  if (kept->by_sender) {
    preferences->Refuses(parties.sender, parties.to, [kept, answered](bool refuses) {
      kept->by_sender = !refuses;
      answered();
    });
  }
  preferences->Refuses(parties.recipient, parties.from, [kept, answered](bool refuses) {
    kept->by_recipient = !refuses;
    answered();
  });
}

std::string BodyOf(const xmpp::Stanza& stanza) {
  // Of what is encrypted it only says that it is.
  constexpr uint64_t kWhat = xmpp::kHasBody | xmpp::kHasEncrypted;
  if ((stanza.flags & kWhat) != xmpp::kHasBody) return {};
  const auto message = xmpp::Element::Parse(stanza.bytes);
  const xmpp::Element* body = message ? message->Find("body", xmpp::ns::kClient) : nullptr;
  return body != nullptr ? body->Text() : std::string();
}

// The sender's first. A message to oneself is one row.
std::vector<ArchiveEntry> Entries(const StageEvent& event) {
  const xmpp::Stanza& stanza = *event.stanza;
  ArchiveEntry entry;
  entry.effect = cluster::EffectId(event.id, kEffectDelivery);
  entry.body = BodyOf(stanza);
  entry.origin_id = stanza.id;
  // Which archive has it under which id is said beside the row.
  entry.bytes = xmpp::WithAddresses(WithoutStamp(stanza.bytes, cluster::ClusterIdText(event.id)),
                                    stanza.kind, event.from->ToString(), event.to->ToString());
  std::vector<ArchiveEntry> entries;
  if (event.kept->by_sender) {
    entry.owner = *BareJid::From(*event.from);
    entry.with = *event.to;
    entry.direction = ArchiveDirection::kOutgoing;
    entries.push_back(entry);
  }
  if (event.kept->by_recipient) {
    entry.owner = *BareJid::From(*event.to);
    entry.with = *event.from;
    entry.direction = ArchiveDirection::kIncoming;
    entries.push_back(std::move(entry));
  }
  return entries;
}

void OnStored(const std::vector<ArchivePlace>& places, KeptMessage* kept) {
  size_t at = 0;
  const auto look = [&](bool* by) {
    if (!*by) return;
    const ArchivePlace& place = places[at++];
    *by = place.outcome != ArchivePlace::Outcome::kNoOwner;
    if (*by) kept->stamp_ms = place.stamp_ms;
    if (place.outcome == ArchivePlace::Outcome::kDone) MessageMetrics::Get().archived.Add();
  };
  look(&kept->by_sender);
  look(&kept->by_recipient);
}

Task<StageVerdict> StoreMessage(Shard* shard, StageEvent& event) {
  Backoff backoff(shard->loop);
  const uint64_t started_ms = shard->loop->NowMs();
  const std::vector<ArchiveEntry> entries = Entries(event);
  for (;;) {
    // Repeated after an unknown outcome, it is recognised by its effect (R2, R4).
    const auto places = co_await shard->stores->archives->Insert(entries);
    if (places) {
      runtime::KillPoint("archive.after_commit");
      OnStored(*places, event.kept.get());
      break;
    }
    if (places.error().kind == runtime::ErrorKind::kFailed) {
      co_return xmpp::StanzaError::InternalServerError();
    }
    if (shard->loop->NowMs() - started_ms >= kDeadlineMs) {
      co_return xmpp::StanzaError::ResourceConstraint();
    }
    MessageMetrics::Get().archive_retries.Add();
    co_await backoff.Pause();
  }
  if (!IsRetraction(*event.stanza)) co_return Continue{};
  const bool done = co_await Retract(shard, event);
  if (!done) co_return xmpp::StanzaError::ResourceConstraint();
  co_return Continue{};
}

}  // namespace

Feature MessageArchive(Shard* shard, std::shared_ptr<ArchivePreferencesCache> preferences,
                       HistoryOptions options) {
  Feature feature;
  feature.name = "message_archive";
  feature.specs = {{.xep = 334, .version = "1.0.0"}};
  feature.needs = {"stanza_ids"};
  const auto decide = [shard, preferences, options](StageEvent& event) -> StageVerdict {
    if (!ContentOf(*event.stanza).archived) return Continue{};
    const auto sender = BareJid::From(*event.from);
    const auto recipient = BareJid::From(*event.to);
    if (!sender || !recipient) return Continue{};
    const Parties parties{*sender, *recipient, *event.from, *event.to};
    event.kept = std::make_shared<KeptMessage>();
    event.kept->by_sender = shard->Serves(sender->domain()) && !parties.to_self();
    event.kept->by_recipient = true;
    if (options.preferences) {
      Decide(preferences.get(), parties, event.kept);
    } else {
      event.kept->Decided();
    }
    return Continue{};
  };
  feature.stages = {
      {.stage = Stage::kToAccount, .kinds = kMessages, .now = decide, .later = nullptr},
      {.stage = Stage::kStore,
       .kinds = kMessages,
       .now = nullptr,
       .later = [shard](StageEvent& event) { return StoreMessage(shard, event); }}};
  return feature;
}

}  // namespace business
