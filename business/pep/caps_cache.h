// Which notifications a session's client wants, by the hash in its presence (XEP-0115).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "business/pep/caps_hash.h"
#include "lib/cluster/session_record.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/element.h"

namespace business {

struct Shard;

// Nodes, sorted.
using Interests = std::shared_ptr<const std::vector<std::string>>;
bool IsInterested(const Interests& interests, std::string_view node);

// One per loop, lives on it: a bounded cache in front of Redis, which all business servers share.
// What was verified stands there by hash; what was not, by session.
class CapsCache {
 public:
  explicit CapsCache(Shard* shard, size_t max_entries = 10000)
      : shard_(shard), max_entries_(max_entries) {}

  // nullptr: not known on this loop. A row without capabilities wants nothing.
  Interests Known(const cluster::SessionRecord& row);
  // Reads from Redis what is not known of these rows; Known says what came of it.
  runtime::Task<void> Load(std::vector<cluster::SessionRecord> rows);
  // Keeps, here and in Redis, what the row's client answered; nullptr: it was ill-formed.
  Interests Learn(const cluster::SessionRecord& row, const CapsId& caps,
                  const xmpp::Element& query);

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Interests interests;  // nullptr: Redis did not know
    uint64_t read_ms;
  };
  using Entries = std::list<Entry>;

  const Entry* Find(const std::string& key);
  void Keep(std::string key, Interests interests);

  Shard* const shard_;
  const size_t max_entries_;
  Entries entries_;  // the least lately used first
  absl::flat_hash_map<std::string_view, Entries::iterator> by_key_;  // keys live in entries_
};

// By what capabilities are remembered: those of everybody with that hash, and those of one session.
std::string SharedCapsKey(const CapsId& caps);  // empty: has no hash
std::string SessionCapsKey(const CapsId& caps, std::string_view session);

}  // namespace business
