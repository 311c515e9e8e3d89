#include "business/history/offline_messages.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "business/history/stored_deliveries.h"
#include "business/message/forwarded_message.h"
#include "business/message/kept_message.h"
#include "business/message/message_content.h"
#include "business/message/message_metrics.h"
#include "business/routing/server_stanza.h"
#include "business/routing/stanza_class.h"
#include "business/session/backoff.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/element.h"

namespace business {
namespace {

using runtime::Result;
using xmpp::StanzaError;
using Append = OfflineStore::Append;

constexpr uint32_t kAtOnce = 100;  // messages
constexpr uint64_t kDeadlineMs = 25000;
constexpr uint32_t kInArchive = 1;  // OfflineMessage::flags: the recipient's archive has it

int64_t WallClock() { return static_cast<int64_t>(cluster::WallClockMs()); }

// ---- nobody is there ----

OfflineMessage MessageOf(const StageEvent& event) {
  OfflineMessage message;
  message.effect = cluster::EffectId(event.id, kEffectDelivery);
  message.bytes = xmpp::WithAddresses(event.stanza->bytes, event.stanza->kind,
                                      event.from->ToString(), event.to->ToString());
  const bool archived = event.kept && event.kept->by_recipient;
  // The archive's stamp: by it is known what a client has read there. Of what a session had not
  // confirmed: when it was written.
  message.stamp_ms = event.kept && event.kept->stamp_ms != 0 ? event.kept->stamp_ms : WallClock();
  message.flags = archived ? kInArchive : 0;
  return message;
}

// An unknown outcome is asked again: the row is known by its effect (R4).
Task<Result<Append>> Put(Shard* shard, OfflineLimits limits, xmpp::BareJid account,
                         OfflineMessage message) {
  Backoff backoff(shard->loop);
  const uint64_t started_ms = shard->loop->NowMs();
  for (;;) {
    const auto put = co_await shard->stores->offline->Add(account, message, limits);
    if (put || put.error().kind == runtime::ErrorKind::kFailed) co_return put;
    if (shard->loop->NowMs() - started_ms >= kDeadlineMs) co_return put;
    co_await backoff.Pause();
  }
}

// Somebody may have become available while the row was written, and have read before (R2). The same
// effect as the first attempt, and as what is read: whoever has it drops it.
Task<AccountDelivery::End> SendAgain(Shard* shard, StageEvent& event) {
  ServerStanza again;
  again.kind = event.stanza->kind;
  again.type = event.stanza->type;
  again.from = event.from->ToString();
  again.to = *event.to;
  again.bytes = event.stanza->bytes;
  again.stanza_class = kClassDurable;
  again.flags = event.stanza->flags;
  again.id = event.id;
  runtime::OneShot<AccountDelivery::End> end;
  SendServerStanza(shard, std::move(again), [&end](AccountDelivery::End how) { end.Set(how); });
  const AccountDelivery::End how = co_await end;
  co_return how;
}

Task<StageVerdict> OnNobody(Shard* shard, HistoryOptions options, StageEvent& event) {
  const MessageContent content = ContentOf(*event.stanza);
  const auto account = xmpp::BareJid::From(*event.to);
  if (!account || event.from == nullptr) co_return Continue{};
  if (!content.offline) {
    // A typing notice for who is away: an error would tell nobody anything.
    const bool passing =
        (event.stanza->flags & (xmpp::kHasChatState | xmpp::kHasBody)) == xmpp::kHasChatState;
    if (passing) co_return Handled{};
    co_return Continue{};
  }
  // RFC 6121 §8.5.3.2.1: a normal message to a resource that is not there is for nobody else. What
  // a session that ended had not confirmed is.
  const bool for_one = !event.to->resource().empty() && event.session != nullptr;
  if (for_one && event.stanza->type == xmpp::StanzaType::kNormal) co_return Continue{};
  OfflineMessage message = MessageOf(event);
  const std::string effect = message.effect;
  const auto put = co_await Put(shard, options.offline_limits, *account, std::move(message));
  if (!put) co_return StanzaError::ResourceConstraint();
  if (*put == Append::kFull) {
    MessageMetrics::Get().offline_refused.Add();
    co_return StanzaError::ServiceUnavailable("too many messages wait already");
  }
  if (*put == Append::kNoOwner) co_return Continue{};  // as if nobody were there
  runtime::KillPoint("offline.after_commit");
  if (*put == Append::kDone) MessageMetrics::Get().offline_stored.Add();
  const AccountDelivery::End end = co_await SendAgain(shard, event);
  if (end == AccountDelivery::End::kTaken) {
    const std::vector<std::string> effects(1, effect);
    const auto removed = co_await shard->stores->offline->Remove(*account, effects);
    (void)removed;  // else it comes once more
  }
  co_return Handled{};
}

// ---- somebody is there ----

bool TakesMessages(const Session& session) {
  return session.record.available && session.record.priority >= 0;
}

bool HasFromArchive(const Session& session, const OfflineMessage& message) {
  if ((message.flags & kInArchive) == 0 || session.archive_read_ms == 0) return false;
  if (message.stamp_ms != session.archive_read_ms) {
    return message.stamp_ms < session.archive_read_ms;
  }
  constexpr size_t kId = sizeof(cluster::ClusterId);
  for (size_t at = 0; at < session.archive_read_ids.size(); at += kId) {
    if (message.effect.compare(0, kId, session.archive_read_ids, at, kId) == 0) return true;
  }
  return false;
}

std::optional<StoredDelivery> DeliveryOf(const Session& session, const OfflineMessage& message) {
  auto root = xmpp::Element::Parse(message.bytes);
  if (!root) return std::nullopt;
  StoredDelivery delivery;
  const std::string from(root->Attr("from"));
  delivery.to = root->Attr("to");
  root->RemoveAttr("from");
  root->RemoveAttr("to");
  delivery.body.bytes =
      xmpp::WithAddresses(WithDelay(root->Write(), session.account().domain(), message.stamp_ms),
                          xmpp::StanzaKind::kMessage, from, {});
  delivery.body.splice_offset = xmpp::SpliceOffset(xmpp::StanzaKind::kMessage);
  delivery.body.kind = static_cast<uint8_t>(xmpp::StanzaKind::kMessage);
  delivery.body.stanza_class = kClassDurable;
  delivery.body.flags = xmpp::kHasDelay;
  delivery.effect = message.effect;
  return delivery;
}

// False: the rest waits for another time.
Task<bool> DeliverPage(Shard* shard, SessionPtr session, std::vector<OfflineMessage> page) {
  std::vector<StoredDelivery> deliveries;
  std::vector<std::string> done, sent;
  for (const OfflineMessage& message : page) {
    if (HasFromArchive(*session, message)) {
      MessageMetrics::Get().offline_skipped.Add();
      done.push_back(message.effect);
      continue;
    }
    std::optional<StoredDelivery> delivery = DeliveryOf(*session, message);
    if (!delivery) {  // not written by us: it would stand in the way for ever
      done.push_back(message.effect);
      continue;
    }
    sent.push_back(message.effect);
    deliveries.push_back(*std::move(delivery));
  }
  const std::vector<bool> taken = co_await DeliverStored(session, std::move(deliveries));
  bool all = true;
  for (size_t i = 0; i < taken.size(); ++i) {
    if (taken[i]) done.push_back(sent[i]);
    all = all && taken[i];
  }
  runtime::KillPoint("offline.before_remove");
  MessageMetrics::Get().offline_delivered.Add(
      static_cast<uint64_t>(std::count(taken.begin(), taken.end(), true)));
  const auto removed = co_await shard->stores->offline->Remove(session->account(), done);
  co_return all&& removed.has_value();
}

Task<StageVerdict> OnPresence(Shard* shard, StageEvent& event) {
  const SessionPtr session = event.session;
  if (!session || !TakesMessages(*session)) {
    if (session) session->offline_taken = false;
    co_return Continue{};
  }
  if (std::exchange(session->offline_taken, true)) co_return Continue{};
  int64_t after = 0;
  while (!session->gone()) {
    auto page = co_await shard->stores->offline->Read(session->account(), after, kAtOnce);
    if (!page) {
      session->offline_taken = false;
      break;
    }
    if (page->empty()) break;
    after = page->back().number;
    const bool last = page->size() < kAtOnce;
    const bool delivered = co_await DeliverPage(shard, session, std::move(*page));
    if (!delivered) session->offline_taken = false;
    if (!delivered || last) break;
  }
  co_return Continue{};
}

}  // namespace

Feature OfflineMessages(Shard* shard, HistoryOptions options) {
  Feature feature;
  feature.name = "offline";
  feature.specs = {{.xep = 160, .version = "1.0.1"},
                   {.xep = 203, .version = "2.0"},
                   {.xep = 334, .version = "1.0.0"}};
  feature.disco.server = {"msgoffline"};
  feature.config = "offline";
  feature.stages = {
      {.stage = Stage::kNoResource,
       .kinds = kMessages,
       .now = nullptr,
       .later = [shard, options](StageEvent& event) { return OnNobody(shard, options, event); }},
      {.stage = Stage::kPresenceChanged,
       .kinds = kSessions,
       .now = nullptr,
       .later = [shard](StageEvent& event) { return OnPresence(shard, event); }}};
  return feature;
}

}  // namespace business
