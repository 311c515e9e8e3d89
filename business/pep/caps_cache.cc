#include "business/pep/caps_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "business/session/shard.h"
#include "lib/cluster/redis_keys.h"
#include "lib/runtime/metrics.h"

namespace business {
namespace {

// What Redis did not know is asked again after this.
constexpr uint64_t kMissMs = 5000;
// Time to live in Redis: hashes outlive releases of clients, sessions do not live that long.
constexpr char kSharedTtl[] = "2592000";  // seconds
constexpr char kSessionTtl[] = "604800";
constexpr std::string_view kVersion = "1\n";

runtime::Counter& Lookups(const char* result) {
  return runtime::Metrics::Get().GetCounter(
      "xylem_caps_lookups_total", "Capabilities of clients looked up, by where they were found",
      {{"result", result}});
}

runtime::Counter& Answers(const char* result) {
  return runtime::Metrics::Get().GetCounter(
      "xylem_caps_answers_total", "What clients said of their capabilities, by what it was worth",
      {{"result", result}});
}

std::string Write(const std::vector<std::string>& nodes) {
  std::string text(kVersion);
  for (const std::string& node : nodes) text.append(node).append("\n");
  return text;
}

Interests Read(std::string_view text) {
  if (!text.starts_with(kVersion)) return nullptr;
  text.remove_prefix(kVersion.size());
  std::vector<std::string> nodes;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    nodes.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::make_shared<const std::vector<std::string>>(std::move(nodes));
}

// Waits for all of several commands.
struct Reading {
  size_t left = 1;
  runtime::OneShot<bool> over;
  void One() {
    if (--left == 0) over.Set(true);
  }
};

}  // namespace

bool IsInterested(const Interests& interests, std::string_view node) {
  return interests != nullptr &&
         std::binary_search(interests->begin(), interests->end(), node, std::less<>());
}

std::string SharedCapsKey(const CapsId& caps) {
  return caps.hash.empty() ? std::string() : "h " + caps.hash + " " + caps.ver;
}

std::string SessionCapsKey(const CapsId& caps, std::string_view session) {
  return "s " + std::string(session) + " " + caps.hash + " " + caps.NodeVer();
}

const CapsCache::Entry* CapsCache::Find(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.end(), entries_, found->second);
  return &*found->second;
}

void CapsCache::Keep(std::string key, Interests interests) {
  if (const auto old = by_key_.find(key); old != by_key_.end()) {
    // Somebody answered while Redis was asked.
    if (interests == nullptr && old->second->interests != nullptr) return;
    const auto node = old->second;
    by_key_.erase(old);
    entries_.erase(node);
  }
  entries_.push_back({std::move(key), std::move(interests), shard_->loop->NowMs()});
  const auto node = std::prev(entries_.end());
  by_key_.emplace(node->key, node);
  if (entries_.size() > max_entries_) {
    by_key_.erase(entries_.front().key);
    entries_.pop_front();
  }
}

Interests CapsCache::Known(const cluster::SessionRecord& row) {
  static const Interests kNothing = std::make_shared<const std::vector<std::string>>();
  const auto caps = CapsOf(row.presence);
  if (!caps) return kNothing;
  for (const std::string& key : {SharedCapsKey(*caps), SessionCapsKey(*caps, row.session)}) {
    const Entry* entry = key.empty() ? nullptr : Find(key);
    if (entry != nullptr && entry->interests != nullptr) return entry->interests;
  }
  return nullptr;
}

runtime::Task<void> CapsCache::Load(std::vector<cluster::SessionRecord> rows) {
  static runtime::Counter& hits = Lookups("redis");
  static runtime::Counter& misses = Lookups("nowhere");
  std::vector<std::string> keys;
  const uint64_t now = shard_->loop->NowMs();
  for (const cluster::SessionRecord& row : rows) {
    const auto caps = CapsOf(row.presence);
    if (!caps) continue;
    for (std::string& key : std::vector{SharedCapsKey(*caps), SessionCapsKey(*caps, row.session)}) {
      const Entry* entry = key.empty() ? nullptr : Find(key);
      const bool missed_lately = entry != nullptr && now - entry->read_ms < kMissMs;
      if (key.empty() || missed_lately || (entry != nullptr && entry->interests)) continue;
      keys.push_back(std::move(key));
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  if (keys.empty()) co_return;
  Reading reading;
  for (const std::string& key : keys) {
    ++reading.left;
    const std::string redis_key = cluster::CapsKey(key);
    shard_->redis->Command(
        redis_key, {"GET", redis_key}, [this, key, &reading](runtime::RedisClient::Reply reply) {
          Interests found;
          if (reply && reply->kind == runtime::RedisReply::Kind::kString) {
            found = Read(reply->text);
          }
          (found ? hits : misses).Add();
          if (reply) Keep(key, std::move(found));
          reading.One();
        });
  }
  reading.One();
  co_await reading.over;
}

Interests CapsCache::Learn(const cluster::SessionRecord& row, const CapsId& caps,
                           const xmpp::Element& query) {
  static runtime::Counter& verified = Answers("verified");
  static runtime::Counter& unverified = Answers("unverified");
  static runtime::Counter& ill_formed = Answers("ill_formed");
  const CapsCheck check = CheckCaps(caps, query);
  if (check == CapsCheck::kIllFormed) {
    ill_formed.Add();
    return nullptr;
  }
  const bool shared = check == CapsCheck::kVerified;
  (shared ? verified : unverified).Add();
  const std::string key = shared ? SharedCapsKey(caps) : SessionCapsKey(caps, row.session);
  auto interests = std::make_shared<const std::vector<std::string>>(NotifyNodes(query));
  Keep(key, interests);
  const std::string redis_key = cluster::CapsKey(key);
  shard_->redis->Command(
      redis_key, {"SET", redis_key, Write(*interests), "EX", shared ? kSharedTtl : kSessionTtl},
      [](runtime::RedisClient::Reply) {});
  return interests;
}

}  // namespace business
