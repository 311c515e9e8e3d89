#include "business/pep/last_items.h"

#include <iterator>
#include <utility>

#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/cluster/redis_keys.h"
#include "lib/runtime/metrics.h"

namespace business {
namespace {

using runtime::Result;
using runtime::Task;

constexpr char kTtl[] = "604800";             // seconds; what is not changed for long need not stand

PubsubVersion VersionOf(const runtime::RedisReply& reply) {
  if (reply.kind != runtime::RedisReply::Kind::kArray) return {};
  PubsubVersion version = "v";
  for (const runtime::RedisReply& word : reply.array) version += " " + word.text;
  return version;
}

runtime::Counter& Lookups(const char* result) {
  return runtime::Metrics::Get().GetCounter(
      "xylem_pep_last_items_lookups_total",
      "Newest items of accounts looked up: in the cache, in the store", {{"result", result}});
}

}  // namespace

Task<std::vector<PubsubVersion>> LastItems::Versions(std::vector<xmpp::BareJid> owners) {
  struct Reading {
    std::vector<PubsubVersion> versions;
    size_t left = 1;
    runtime::OneShot<bool> over;
    void One() {
      if (--left == 0) over.Set(true);
    }
  } reading;
  reading.versions.resize(owners.size());
  for (size_t i = 0; i < owners.size(); ++i) {
    ++reading.left;
    const std::string tag = cluster::AccountTag(owners[i].ToString());
    const std::string key = cluster::PubsubVersionKey(tag);
    // The account's own version as well: it is raised when the account is removed, with its nodes.
    shard_->redis->Command(key, {"MGET", key, cluster::VersionKey(tag)},
                           [&reading, i](runtime::RedisClient::Reply reply) {
                             if (reply) reading.versions[i] = VersionOf(*reply);
                             reading.One();
                           });
  }
  reading.One();
  co_await reading.over;
  co_return std::move(reading.versions);
}

Task<Result<LastItemsPtr>> LastItems::Of(xmpp::BareJid owner, PubsubVersion version) {
  static runtime::Counter& hits = Lookups("hit");
  static runtime::Counter& misses = Lookups("miss");
  const uint64_t now = shard_->loop->NowMs();
  if (const auto found = by_owner_.find(owner.ToString()); found != by_owner_.end()) {
    const Entry& entry = *found->second;
    if (!version.empty() && entry.version == version && now < entry.read_ms + options_.keep_ms) {
      hits.Add();
      co_return entry.items;
    }
  }
  misses.Add();
  std::vector<std::string> all;
  Result<std::vector<PubsubNewest>> newest =
      co_await shard_->stores->pubsub->Newest(owner, std::move(all));
  if (!newest) co_return newest.error();
  std::vector<LastItem> items;
  size_t cost = sizeof(Entry) + 2 * owner.ToString().size();
  for (PubsubNewest& one : *newest) {
    LastItem item;
    item.node = one.node.name;
    item.config = NodeConfig::Read(one.node.config);
    item.item = std::move(one.item);
    item.big = item.item.payload.size() > options_.max_payload;
    if (item.big) item.item.payload.clear();
    cost += sizeof(LastItem) + item.node.size() + item.item.payload.size() + item.item.id.size();
    items.push_back(std::move(item));
  }
  LastItemsPtr kept = std::make_shared<const std::vector<LastItem>>(std::move(items));
  if (!version.empty()) Keep({owner.ToString(), std::move(version), now, cost, kept});
  co_return kept;
}

void LastItems::Keep(Entry entry) {
  if (const auto old = by_owner_.find(entry.owner); old != by_owner_.end()) Drop(old->second);
  bytes_ += entry.cost;
  entries_.push_back(std::move(entry));
  const auto node = std::prev(entries_.end());
  by_owner_.emplace(node->owner, node);
  const uint64_t now = shard_->loop->NowMs();
  while (!entries_.empty() &&
         (bytes_ > options_.max_bytes || now >= entries_.front().read_ms + options_.keep_ms)) {
    Drop(entries_.begin());
  }
}

void LastItems::Drop(Entries::iterator entry) {
  by_owner_.erase(entry->owner);  // first: its key lives in the entry
  bytes_ -= entry->cost;
  entries_.erase(entry);
}

Task<void> LastItems::Changed(xmpp::BareJid owner, cluster::ClusterId cause) {
  const std::string key = cluster::PubsubVersionKey(cluster::AccountTag(owner.ToString()));
  // Not the cause's own id: a repeated cause would bring an old version back.
  const cluster::ClusterId word = shard_->ids->Make(
      std::string_view(cause.data(), cause.size()), shard_->loop->NowMs(), "pubsub version",
      std::to_string(++changes_));
  runtime::OneShot<bool> over;
  shard_->redis->Command(key, {"SET", key, cluster::ClusterIdText(word), "EX", kTtl},
                         [&over](runtime::RedisClient::Reply) { over.Set(true); });
  co_await over;  // without Redis entries grow old by themselves
}

}  // namespace business
