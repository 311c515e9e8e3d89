#include "business/presence/last_presence.h"

#include <absl/strings/numbers.h>

#include <chrono>
#include <utility>

#include "business/session/shard.h"
#include "lib/cluster/redis_keys.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

constexpr const char* kKeptForMs = "2592000000";
constexpr std::string_view kOnlyThat = "<presence type='unavailable'/>";

int64_t WallClockMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string KeyOf(const xmpp::BareJid& account) {
  return cluster::LastPresenceKey(cluster::AccountTag(account.ToString()));
}

}  // namespace

void SaveLastPresence(Shard* shard, const xmpp::BareJid& account, std::string_view bytes) {
  if (shard->redis == nullptr) return;
  if (bytes.size() > kMaxLastPresence) bytes = kOnlyThat;
  const std::string key = KeyOf(account);
  std::string value = std::to_string(WallClockMs());
  value.append("\n").append(bytes);
  shard->redis->Command(key, {"SET", key, std::move(value), "PX", kKeptForMs},
                        [](runtime::RedisClient::Reply) {});
}

runtime::Task<std::optional<LastPresence>> LastPresenceOf(Shard* shard, xmpp::BareJid account) {
  if (shard->redis == nullptr) co_return std::nullopt;
  const std::string key = KeyOf(account);
  runtime::RedisClient::Args get{"GET", key};
  const runtime::RedisClient::Reply reply = co_await shard->redis->Command(key, std::move(get));
  if (!reply || reply->IsNil() || reply->IsError()) co_return std::nullopt;
  const size_t end = reply->text.find('\n');
  LastPresence last;
  if (end == std::string::npos || !absl::SimpleAtoi(reply->text.substr(0, end), &last.left_ms)) {
    co_return std::nullopt;
  }
  last.bytes = reply->text.substr(end + 1);
  co_return last;
}

std::string WriteLastPresence(const LastPresence& last, std::string_view from,
                              std::string_view id) {
  std::optional<xmpp::Element> presence = xmpp::Element::Parse(last.bytes);
  if (!presence) presence.emplace("presence", xmpp::ns::kClient);
  presence->SetAttr("from", std::string(from));
  presence->SetAttr("type", "unavailable");
  presence->RemoveAttr("id");
  if (!id.empty()) presence->SetAttr("id", std::string(id));
  // The client's own would say when something else happened.
  presence->RemoveIf([](const xmpp::Element& e) { return e.Is("delay", xmpp::ns::kDelay); });
  xmpp::Element& delay = presence->Add("delay", xmpp::ns::kDelay);
  delay.SetAttr("from", std::string(from));
  delay.SetAttr("stamp", xmpp::DateTimeText(last.left_ms));
  return presence->Write();
}

}  // namespace business
