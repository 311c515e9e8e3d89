#include "business/history/retraction.h"

#include <optional>
#include <string>
#include <utility>

#include "business/message/kept_message.h"
#include "business/message/message_metrics.h"
#include "business/session/backoff.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::Element;

constexpr uint64_t kDeadlineMs = 10000;

struct Request {
  std::string of;  // the retracted message's id
  std::string by;  // the retraction's
  int64_t stamp_ms;
};

std::optional<Request> ReadRequest(const StageEvent& event) {
  const auto message = Element::Parse(event.stanza->bytes);
  const Element* retract = message ? message->Find("retract", ns::kRetract) : nullptr;
  if (retract == nullptr || retract->Attr("id").empty()) return std::nullopt;
  return Request{std::string(retract->Attr("id")), event.stanza->id, event.kept->stamp_ms};
}

// Addresses, type and id stay; nothing that was said does.
std::string Tombstone(const std::string& bytes, const Request& request) {
  Element tombstone("message", ns::kClient);
  const auto message = Element::Parse(bytes);
  for (const char* name : {"from", "to", "type", "id"}) {
    if (message && message->HasAttribute(name)) {
      tombstone.SetAttr(name, std::string(message->Attr(name)));
    }
  }
  Element& retracted = tombstone.Add("retracted", ns::kRetract);
  retracted.SetAttr("id", request.by);
  retracted.SetAttr("stamp", xmpp::DateTimeText(request.stamp_ms));
  return tombstone.Write();
}

// §6: only by the bare JID that the message came from, which is what is looked for.
Task<Result<bool>> RetractFrom(Shard* shard, xmpp::Jid owner, xmpp::Jid with,
                               ArchiveDirection direction, Request request) {
  ArchiveStore& archives = *shard->stores->archives;
  const auto row = co_await archives.FindByOriginId(owner, with, direction, request.of);
  if (!row) co_return row.error();
  if (!*row || ((*row)->flags & kArchiveTombstone) != 0) co_return false;
  std::string tombstone = Tombstone((*row)->bytes, request);
  const auto replaced = co_await archives.Replace(owner, (*row)->id(), std::move(tombstone));
  if (!replaced) co_return replaced.error();
  MessageMetrics::Get().retracted.Add();
  co_return true;
}

Task<bool> TryUntilDone(Shard* shard, xmpp::Jid owner, xmpp::Jid with, ArchiveDirection direction,
                        Request request) {
  Backoff backoff(shard->loop);
  const uint64_t started_ms = shard->loop->NowMs();
  for (;;) {
    const auto done = co_await RetractFrom(shard, owner, with, direction, request);
    if (done) co_return true;
    if (shard->loop->NowMs() - started_ms >= kDeadlineMs) co_return false;
    co_await backoff.Pause();
  }
}

}  // namespace

bool IsRetraction(const xmpp::Stanza& message) {
  return message.bytes.find(ns::kRetract) != std::string::npos;
}

runtime::Task<bool> Retract(Shard* shard, const StageEvent& event) {
  const std::optional<Request> request = ReadRequest(event);
  if (!request) co_return true;
  const xmpp::Jid sender = *xmpp::BareJid::From(*event.from);
  const xmpp::Jid recipient = *xmpp::BareJid::From(*event.to);
  if (event.kept->by_sender) {
    const bool done =
        co_await TryUntilDone(shard, sender, recipient, ArchiveDirection::kOutgoing, *request);
    if (!done) co_return false;
  }
  if (event.kept->by_recipient) {
    const bool done =
        co_await TryUntilDone(shard, recipient, sender, ArchiveDirection::kIncoming, *request);
    if (!done) co_return false;
  }
  co_return true;
}

Feature Retraction() {
  Feature feature;
  feature.name = "retraction";
  feature.specs = {{.xep = 424, .version = "0.4.2"}};
  feature.needs = {"message_archive"};
  feature.disco.server = {ns::kRetract, ns::kTombstones};
  feature.disco.account = {ns::kRetract, ns::kTombstones};
  return feature;
}

}  // namespace business
