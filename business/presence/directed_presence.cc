#include "business/presence/directed_presence.h"

#include <absl/strings/str_split.h>

#include <algorithm>
#include <utility>

#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/cluster/redis_keys.h"

namespace business {
namespace {

// One field a session, its targets by line: JIDs have none. For ever would be too long for what a
// server that died in the wrong moment left behind.
constexpr const char* kKeptForMs = "2592000000";  // 30 days, from the last change

std::string KeyOf(const xmpp::Jid& account) {
  return cluster::DirectedKey(cluster::AccountTag(account.BareView()));
}

// Before what is sent to the target: its look-up comes behind this on the way to Redis.
void Save(const Session& session) {
  Shard& shard = session.shard();
  if (shard.redis == nullptr) return;
  const std::string key = KeyOf(session.full());
  const std::string field = cluster::HexBytes(session.record.session);
  const auto ignore = [](runtime::RedisClient::Reply) {};
  if (session.directed.empty()) {
    shard.redis->Command(key, {"HDEL", key, field}, ignore);
    return;
  }
  std::string lines;
  for (const std::string& jid : session.directed) lines.append(jid).append("\n");
  shard.redis->Command(key, {"HSET", key, field, std::move(lines)}, ignore);
  shard.redis->Command(key, {"PEXPIRE", key, kKeptForMs}, ignore);
}

}  // namespace

bool RememberDirected(Session& session, const std::string& to) {
  auto& directed = session.directed;
  if (std::find(directed.begin(), directed.end(), to) != directed.end()) return true;
  if (directed.size() >= kMaxDirected) return false;
  directed.push_back(to);
  session.SendTicket();
  Save(session);
  return true;
}

void ForgetDirected(Session& session, const std::string& to) {
  if (std::erase(session.directed, to) == 0) return;
  session.SendTicket();
  Save(session);
}

void ForgetSavedDirected(Session& session) { Save(session); }

runtime::Task<std::vector<std::string>> TakeSavedDirected(Shard* shard, xmpp::FullJid full,
                                                          std::string session) {
  std::vector<std::string> directed;
  if (shard->redis == nullptr) co_return directed;
  const std::string key = KeyOf(full);
  const std::string field = cluster::HexBytes(session);
  runtime::RedisClient::Args get{"HGET", key, field};
  const runtime::RedisClient::Reply reply = co_await shard->redis->Command(key, std::move(get));
  if (!reply || reply->IsNil() || reply->IsError()) co_return directed;
  directed = absl::StrSplit(reply->text, '\n', absl::SkipEmpty());
  shard->redis->Command(key, {"HDEL", key, field}, [](runtime::RedisClient::Reply) {});
  co_return directed;
}

}  // namespace business
