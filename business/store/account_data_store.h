// Small collections of an owner that have one shape, a key and bytes: private XML, vcard, block
// list, push registrations … told apart by their type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

enum class DataType : uint8_t {
  kPrivateXml,    // XEP-0049: key = namespace and name of the element, value = canonical XML
  kVcard,         // XEP-0054: key "", value = canonical XML
  kBlockList,     // XEP-0191: key = JID, value = empty, or what XEP-0377 said with it
  kPush,          // XEP-0357: key = service JID and node, value = publish options
  kLastActivity,  // XEP-0012: key "", value = seconds since the epoch and the status
  kInvitations,   // XEP-0379, 0401, 0445: key = hash of the token
  kTokens,        // XEP-0484: key = hash of the token
};

struct DataEntry {
  std::string key;    // text, ≤ 4 KiB
  std::string value;  // bytes

  friend bool operator==(const DataEntry&, const DataEntry&) = default;
};

struct DataCollection {
  int64_t version = 0;             // 0: never written
  std::vector<DataEntry> entries;  // by key
};

struct DataChange {
  bool clear = false;  // first of all
  std::vector<std::string> remove;
  std::vector<DataEntry> put;
  // Another version: kConflict. For what is read, decided upon and written by several servers.
  std::optional<int64_t> expected_version;
  // Of the collection after the change; kFull beyond. What was full before may shrink.
  uint32_t max_entries = 1000;
  uint64_t max_bytes = 4 << 20;  // keys and values
};

struct DataChanged {
  enum class Outcome { kDone, kFull, kConflict, kNoOwner };
  Outcome outcome = Outcome::kDone;
  int64_t version = 0;   // after it; raised if anything changed
  uint32_t removed = 0;  // entries that stood
  bool changed = false;  // false: everything was so already, as with a repeat
};

// One per loop, as AccountStore; errors and unknown outcomes as there. Changes are idempotent:
// after kUnknown, make the change again (with an expected version, read first).
class AccountDataStore {
 public:
  virtual ~AccountDataStore() = default;
  virtual runtime::Task<runtime::Result<std::optional<std::string>>> Find(xmpp::Jid owner,
                                                                          DataType type,
                                                                          std::string key) = 0;
  virtual runtime::Task<runtime::Result<DataCollection>> List(xmpp::Jid owner, DataType type) = 0;
  // One transaction.
  virtual runtime::Task<runtime::Result<DataChanged>> Change(xmpp::Jid owner, DataType type,
                                                             DataChange change) = 0;
};

}  // namespace business
