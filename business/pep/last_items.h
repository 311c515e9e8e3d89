// The newest item of each node of an account, by the version of its nodes: a login asks for those
// of every contact, and must not cost a read of the store for each (R13).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "business/pubsub/node_config.h"
#include "business/store/pubsub_store.h"
#include "lib/cluster/cluster_id.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct LastItem {
  std::string node;
  NodeConfig config;
  PubsubItem item;
  bool big = false;  // the payload is not kept: read it
};
using LastItemsPtr = std::shared_ptr<const std::vector<LastItem>>;

// Empty: Redis did not say.
using PubsubVersion = std::string;

// One per loop, lives on it.
class LastItems {
 public:
  struct Options {
    uint64_t keep_ms = 60000;        // R13
    size_t max_bytes = 16 << 20;     // of all entries
    size_t max_payload = 16 * 1024;  // of one item; bigger ones are read when they are wanted
  };
  explicit LastItems(Shard* shard) : LastItems(shard, Options()) {}
  LastItems(Shard* shard, Options options) : shard_(shard), options_(options) {}

  // In one pipeline, in order.
  runtime::Task<std::vector<PubsubVersion>> Versions(std::vector<xmpp::BareJid> owners);
  // As committed when the version was read, or newer.
  runtime::Task<runtime::Result<LastItemsPtr>> Of(xmpp::BareJid owner, PubsubVersion version);
  // The owner's nodes or items have changed. After the commit, before it is told to anybody.
  runtime::Task<void> Changed(xmpp::BareJid owner, cluster::ClusterId cause);

  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string owner;
    PubsubVersion version;
    uint64_t read_ms;
    size_t cost;
    LastItemsPtr items;
  };
  using Entries = std::list<Entry>;

  void Keep(Entry entry);
  void Drop(Entries::iterator entry);

  Shard* const shard_;
  const Options options_;
  uint64_t changes_ = 0;
  size_t bytes_ = 0;
  Entries entries_;  // the oldest first: they expire in this order
  absl::flat_hash_map<std::string_view, Entries::iterator> by_owner_;  // keys live in entries_
};

}  // namespace business
