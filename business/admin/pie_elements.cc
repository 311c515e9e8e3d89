#include "business/admin/pie_elements.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "lib/cluster/cluster_id.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/sasl/base64.h"

namespace business::pie {
namespace {

using xmpp::Element;
using xmpp::sasl::Hash;
namespace ns = xmpp::ns;

constexpr std::array<std::pair<Hash, std::string_view>, 3> kMechanisms{
    {{Hash::kSha1, "SCRAM-SHA-1"},
     {Hash::kSha256, "SCRAM-SHA-256"},
     {Hash::kSha512, "SCRAM-SHA-512"}}};
constexpr std::array<std::string_view, 4> kSubscriptions{"none", "to", "from", "both"};

int64_t WallMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string TextOf(const Element& parent, std::string_view name) {
  const Element* child = parent.Find(name, parent.ns());
  return child == nullptr ? std::string() : child->Text();
}

int64_t StampOf(const Element& parent) {
  const Element* delay = parent.Find("delay", ns::kDelay);
  if (delay == nullptr) return 0;
  return xmpp::ParseDateTime(delay->Attr("stamp")).value_or(0);
}

}  // namespace

std::optional<xmpp::sasl::ScramKeys> ReadKeys(const Element& credentials) {
  xmpp::sasl::ScramKeys keys;
  const auto mechanism = std::find_if(
      kMechanisms.begin(), kMechanisms.end(),
      [&](const auto& known) { return known.second == credentials.Attr("mechanism"); });
  if (mechanism == kMechanisms.end()) return std::nullopt;
  keys.hash = mechanism->first;
  const std::string count = TextOf(credentials, "iter-count");
  const auto read = std::from_chars(count.data(), count.data() + count.size(), keys.iterations);
  const auto salt = xmpp::sasl::DecodeBase64(TextOf(credentials, "salt"));
  const auto stored = xmpp::sasl::DecodeBase64(TextOf(credentials, "stored-key"));
  const auto server = xmpp::sasl::DecodeBase64(TextOf(credentials, "server-key"));
  const size_t size = xmpp::sasl::DigestBytes(keys.hash);
  if (read.ec != std::errc() || read.ptr != count.data() + count.size() ||
      keys.iterations < xmpp::sasl::kMinIterations || !salt || salt->empty() || !stored ||
      stored->size() != size || !server || server->size() != size) {
    return std::nullopt;
  }
  keys.salt = *salt;
  keys.stored_key = *stored;
  keys.server_key = *server;
  return keys;
}

Element WriteKeys(const xmpp::sasl::ScramKeys& keys) {
  Element credentials("scram-credentials", ns::kPieScram);
  for (const auto& [hash, name] : kMechanisms) {
    if (hash == keys.hash) credentials.SetAttr("mechanism", std::string(name));
  }
  const auto add = [&credentials](std::string_view name, std::string text) {
    credentials.Add(std::string(name), ns::kPieScram).AddText(std::move(text));
  };
  add("iter-count", std::to_string(keys.iterations));
  add("salt", xmpp::sasl::EncodeBase64(keys.salt));
  add("server-key", xmpp::sasl::EncodeBase64(keys.server_key));
  add("stored-key", xmpp::sasl::EncodeBase64(keys.stored_key));
  return credentials;
}

std::optional<RosterEntry> ReadContact(const Element& item) {
  auto contact = xmpp::Jid::Parse(item.Attr("jid"));
  if (!contact) return std::nullopt;
  RosterEntry entry{.contact = std::move(*contact), .item = RosterItem{}, .request = std::nullopt};
  entry.item->name = item.Attr("name");
  const auto known =
      std::find(kSubscriptions.begin(), kSubscriptions.end(), item.Attr("subscription"));
  if (known != kSubscriptions.end()) {
    entry.item->subscription = static_cast<Subscription>(known - kSubscriptions.begin());
  }
  entry.item->ask = item.Attr("ask") == "subscribe";
  entry.item->approved = item.Attr("approved") == "true" || item.Attr("approved") == "1";
  for (const Element* child : item.Elements()) {
    if (child->Is("group", ns::kRoster)) entry.item->groups.push_back(child->Text());
  }
  std::sort(entry.item->groups.begin(), entry.item->groups.end());
  const auto last = std::unique(entry.item->groups.begin(), entry.item->groups.end());
  entry.item->groups.erase(last, entry.item->groups.end());
  return entry;
}

Element WriteContact(const RosterEntry& entry) {
  Element item("item", ns::kRoster);
  item.SetAttr("jid", entry.contact.ToString());
  if (!entry.item->name.empty()) item.SetAttr("name", entry.item->name);
  item.SetAttr("subscription",
               std::string(kSubscriptions[static_cast<size_t>(entry.item->subscription)]));
  if (entry.item->ask) item.SetAttr("ask", "subscribe");
  if (entry.item->approved) item.SetAttr("approved", "true");
  for (const std::string& group : entry.item->groups) {
    item.Add("group", ns::kRoster).AddText(group);
  }
  return item;
}

OfflineMessage ReadOffline(const Element& message) {
  OfflineMessage offline;
  offline.bytes = message.Write();
  offline.effect = EffectOf(offline.bytes);
  offline.stamp_ms = StampOf(message);
  if (offline.stamp_ms == 0) offline.stamp_ms = WallMs();
  return offline;
}

std::optional<ArchiveEntry> ReadArchived(const xmpp::BareJid& owner, const Element& result) {
  const Element* forwarded = result.Find("forwarded", ns::kForward);
  const Element* message = forwarded == nullptr ? nullptr : forwarded->Find("message", ns::kClient);
  if (message == nullptr) return std::nullopt;
  const auto from = xmpp::Jid::Parse(message->Attr("from"));
  const auto to = xmpp::Jid::Parse(message->Attr("to"));
  if (!from || !to) return std::nullopt;
  ArchiveEntry entry;
  entry.owner = xmpp::Jid::FromNormalized(owner.ToString());
  const bool sent = from->BareView() == owner.ToString();
  entry.direction = sent ? ArchiveDirection::kOutgoing : ArchiveDirection::kIncoming;
  entry.with = sent ? *to : *from;
  entry.bytes = message->Write();
  if (const Element* body = message->Find("body", ns::kClient)) entry.body = body->Text();
  const Element* origin = message->Find("origin-id", ns::kStanzaId);
  entry.origin_id = origin != nullptr ? origin->Attr("id") : message->Attr("id");
  entry.stamp_ms = StampOf(*forwarded);
  const std::string id(result.Attr("id"));
  const auto ours = cluster::ParseClusterId(id);
  entry.effect = ours ? cluster::EffectId(*ours, 0) : EffectOf(id + entry.bytes);
  return entry;
}

Element WriteArchived(const ArchiveRow& row) {
  cluster::ClusterId id{};
  std::copy_n(row.effect.begin(), std::min(row.effect.size(), id.size()), id.begin());
  Element result("result", ns::kMam);
  result.SetAttr("id", cluster::ClusterIdText(id));
  Element& forwarded = result.Add("forwarded", ns::kForward);
  forwarded.Add("delay", ns::kDelay).SetAttr("stamp", xmpp::DateTimeText(row.stamp_ms));
  if (auto message = Element::Parse(row.bytes)) forwarded.Add(std::move(*message));
  return result;
}

std::string EffectOf(const std::string& text) {
  const std::string digest = xmpp::sasl::Digest(Hash::kSha256, "xylem import" + text);
  cluster::ClusterId id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return cluster::EffectId(id, 0);
}

}  // namespace business::pie
