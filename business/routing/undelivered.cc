#include "business/routing/undelivered.h"

#include <cstring>
#include <optional>
#include <utility>

#include "business/message/kept_message.h"
#include "business/message/recipient_rule.h"
#include "business/routing/feature_set.h"
#include "business/routing/server_stanza.h"
#include "business/routing/session_delivery.h"
#include "business/routing/stanza_reply.h"
#include "business/session/shard.h"
#include "lib/xmpp/element.h"

namespace business {
namespace {

using cluster::OutboxEntry;
using cluster::SessionRecord;
using End = AccountDelivery::End;
using Rows = std::vector<SessionRecord>;

// The stanza as it was before it had addresses.
std::optional<xmpp::Stanza> StanzaOf(const OutboxEntry& entry) {
  auto root = xmpp::Element::Parse(entry.body);
  if (!root) return std::nullopt;
  xmpp::Stanza stanza;
  stanza.kind = static_cast<xmpp::StanzaKind>(entry.kind);
  stanza.type = xmpp::ParseType(stanza.kind, root->Attr("type"));
  stanza.flags = entry.flags & ~kDeliverArchived;
  stanza.id = root->Attr("id");
  stanza.from = root->Attr("from");
  stanza.to = entry.to;
  stanza.lang = root->Attr("xml:lang");
  if (const xmpp::Element* payload = root->FirstChild()) {
    stanza.payload_ns = payload->ns();
    stanza.payload_name = payload->name();
  }
  root->RemoveAttr("from");
  stanza.bytes = root->Write();
  return stanza;
}

cluster::ClusterId IdOf(const OutboxEntry& entry) {
  cluster::ClusterId id{};
  if (entry.effect.size() >= id.size()) memcpy(id.data(), entry.effect.data(), id.size());
  return id;
}

bool IsWith(const OutboxEntry& entry, const SessionRecord& row) {
  constexpr size_t kPrefix = OutboxEntry::kSessionPrefix;
  const std::string hex = cluster::HexBytes(row.session).substr(0, kPrefix);
  for (size_t at = 0; at + kPrefix <= entry.others.size(); at += kPrefix) {
    if (entry.others.compare(at, kPrefix, hex) == 0) return true;
  }
  return false;
}

runtime::Task<End> Send(Shard* shard, ServerStanza stanza) {
  runtime::OneShot<End> end;
  SendServerStanza(shard, std::move(stanza), [&end](End how) { end.Set(how); });
  const End how = co_await end;
  co_return how;
}

bool IsSettled(End end) { return end == End::kTaken || end == End::kNobody; }

}  // namespace

runtime::Task<bool> Undelivered::OnUndelivered(xmpp::FullJid from,
                                               std::vector<OutboxEntry> entries) {
  bool all = true;
  for (OutboxEntry& entry : entries) {
    bool settled = true;
    if (entry.stanza_class == kClassDurable) {
      settled = co_await Message(from, std::move(entry));
    } else if (entry.stanza_class == kClassIq) {
      settled = co_await Bounce(xmpp::StanzaKind::kIq, from, std::move(entry));
    }
    all = all && settled;
  }
  co_return all;
}

runtime::Task<bool> Undelivered::Message(xmpp::FullJid session, OutboxEntry entry) {
  std::optional<xmpp::Stanza> stanza = StanzaOf(entry);
  const auto from = xmpp::Jid::Parse(stanza ? stanza->from : std::string());
  if (!stanza || stanza->kind != xmpp::StanzaKind::kMessage) co_return true;
  const xmpp::Jid to = xmpp::Jid::FromNormalized(entry.to.empty() ? session.ToString() : entry.to);

  bool kept = false;  // another session has it, and is there to confirm it
  ServerStanza again;
  again.kind = stanza->kind;
  again.type = stanza->type;
  again.from = stanza->from;
  again.to = to;
  again.bytes = stanza->bytes;
  again.stanza_class = kClassDurable;
  again.flags = entry.flags;
  again.id = IdOf(entry);
  again.choose = [&kept, &entry, &to, type = stanza->type](const Rows& rows) {
    for (const SessionRecord& row : rows) kept = kept || IsWith(entry, row);
    if (kept) return Recipients();
    return ChooseRecipients(xmpp::StanzaKind::kMessage, type, to.resource(), rows);
  };
  const End end = co_await Send(shard_, std::move(again));
  if (end == End::kTaken) co_await ForgetOfflineRow(shard_, *xmpp::BareJid::From(to), entry.effect);
  if (kept || end == End::kTaken) co_return true;
  if (end != End::kNobody) co_return false;

  StageEvent event;
  event.stanza = &*stanza;
  event.from = from ? &*from : nullptr;
  event.to = &to;
  event.id = IdOf(entry);
  event.kept = std::make_shared<KeptMessage>();
  event.kept->stamp_ms = static_cast<int64_t>(entry.stamp_ms);
  event.kept->by_recipient = (entry.flags & kDeliverArchived) != 0;
  runtime::OneShot<bool> handled;
  shard_->features->RunStage(Stage::kNoResource, stanza->kind, event,
                             [&handled](StageVerdict verdict) {
                               handled.Set(std::holds_alternative<Handled>(verdict));
                             });
  const bool stored = co_await handled;
  if (stored || !MayBeBounced(*stanza)) co_return true;
  const bool bounced = co_await Bounce(xmpp::StanzaKind::kMessage, session, std::move(entry));
  co_return bounced;
}

runtime::Task<bool> Undelivered::Bounce(xmpp::StanzaKind kind, xmpp::FullJid session,
                                        OutboxEntry entry) {
  const std::optional<xmpp::Stanza> stanza = StanzaOf(entry);
  const auto sender = xmpp::Jid::Parse(stanza ? stanza->from : std::string());
  if (!stanza || !sender || !MayBeBounced(*stanza)) co_return true;
  const xmpp::StanzaError error = xmpp::StanzaError::ServiceUnavailable();
  shard_->metrics->CountError(error.condition);
  ServerStanza answer;
  answer.kind = kind;
  answer.type = xmpp::StanzaType::kError;
  answer.from = entry.to.empty() ? session.ToString() : entry.to;
  answer.to = *sender;
  answer.bytes = WriteError(kind, stanza->id, {}, error);
  answer.stanza_class = kClassOutbox;
  answer.id = IdOf(entry);
  answer.index = kEffectUndelivered;
  const End end = co_await Send(shard_, std::move(answer));
  co_return IsSettled(end);
}

}  // namespace business
