// XEP-0012: Last Activity 2.0. How long the server runs, and how long an account has been away, for
// those who may see its presence.
#include "business/features/last_activity.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "business/features/store_trouble.h"
#include "business/presence/last_presence.h"
#include "business/presence/roster_lookup.h"
#include "business/session/shard.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;
using xmpp::StanzaError;

IqReply Seconds(int64_t seconds, std::string status) {
  Element query("query", ns::kLastActivity);
  query.SetAttr("seconds", std::to_string(std::max<int64_t>(seconds, 0)));
  if (!status.empty()) query.AddText(std::move(status));
  return IqReply::Result(std::move(query));
}

// §3.2: since it was started.
Task<IqReply> Uptime(Iq, std::chrono::steady_clock::time_point started) {
  const auto up = std::chrono::steady_clock::now() - started;
  co_return Seconds(std::chrono::duration_cast<std::chrono::seconds>(up).count(), {});
}

std::string StatusOf(const LastPresence& last) {
  const auto presence = Element::Parse(last.bytes);
  const Element* status = presence ? presence->Find("status", ns::kClient) : nullptr;
  return status == nullptr ? std::string() : status->Text();
}

Task<IqReply> OfAccount(Shard* shard, xmpp::BareJid account) {
  const auto rows = co_await shard->registry->Lookup(account);
  if (!rows) co_return StanzaError::ResourceConstraint();
  const bool here = std::any_of(rows->begin(), rows->end(),
                                [](const cluster::SessionRecord& row) { return row.available; });
  if (here) co_return Seconds(0, {});
  const std::optional<LastPresence> last = co_await LastPresenceOf(shard, account);
  if (!last) co_return StanzaError::ItemNotFound("not seen for long");
  const int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  co_return Seconds((now_ms - last->left_ms) / 1000, StatusOf(*last));
}

Task<IqReply> Own(Shard* shard, Iq iq) {
  IqReply reply = co_await OfAccount(shard, *xmpp::BareJid::From(iq.from));
  co_return reply;
}

// §4: whoever may not see the presence learns nothing.
Task<IqReply> Others(Shard* shard, Iq iq) {
  const auto account = xmpp::BareJid::From(iq.to);
  if (!account) co_return StanzaError::Forbidden();
  const auto subscribed = co_await shard->rosters->IsSubscribed(*account, iq.from);
  if (!subscribed) co_return StoreTrouble(subscribed.error());
  if (!*subscribed) co_return StanzaError::Forbidden();
  IqReply reply = co_await OfAccount(shard, *account);
  co_return reply;
}

}  // namespace

Feature LastActivity(Shard* shard) {
  Feature feature;
  feature.name = "last_activity";
  feature.specs = {{.xep = 12, .version = "2.0"}};
  feature.disco.server = {ns::kLastActivity};
  feature.disco.account = {ns::kLastActivity};
  const auto started = std::chrono::steady_clock::now();
  feature.iqs = {
      {IqType::kGet, ns::kLastActivity, "query", Addressee::kServer,
       [started](Iq iq) { return Uptime(std::move(iq), started); }},
      {IqType::kGet, ns::kLastActivity, "query", Addressee::kOwnAccount,
       [shard](Iq iq) { return Own(shard, std::move(iq)); }},
      {IqType::kGet, ns::kLastActivity, "query", Addressee::kAccount,
       [shard](Iq iq) { return Others(shard, std::move(iq)); }},
  };
  return feature;
}

}  // namespace business
