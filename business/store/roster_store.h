// Rosters and subscription states (RFC 6121 §2 and §3, appendix A; roster versioning §2.6).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

// Two bits, so that a transition sets or clears one.
enum class Subscription : uint8_t { kNone = 0, kTo = 1, kFrom = 2, kBoth = 3 };

// What clients see of a contact.
struct RosterItem {
  std::string name;
  Subscription subscription = Subscription::kNone;
  bool ask = false;       // the account asked to subscribe and has no answer yet ("pending out")
  bool approved = false;  // pre-approved (§3.4)
  std::vector<std::string> groups;

  friend bool operator==(const RosterItem&, const RosterItem&) = default;
};

// The contact asked to subscribe and has no answer yet ("pending in"): the stanza is delivered at
// each login until it is answered (§3.1.3). Clients never see this in the roster.
struct SubscriptionRequest {
  std::string stanza;  // canonical bytes
  int64_t stamp = 0;   // milliseconds since the epoch

  friend bool operator==(const SubscriptionRequest&, const SubscriptionRequest&) = default;
};

// Everything between an account and one contact. Either part may be missing.
struct RosterEntry {
  xmpp::Jid contact;  // mostly bare; RFC 6121 allows a resource or a domain
  std::optional<RosterItem> item;
  std::optional<SubscriptionRequest> request;

  friend bool operator==(const RosterEntry&, const RosterEntry&) = default;
};

struct Roster {
  int64_t version = 0;               // 0: nothing was ever written
  std::vector<RosterEntry> entries;  // by contact
};

struct RosterChanges {
  int64_t version = 0;  // after them
  // False: the version asked about is unknown or too old; load the whole roster.
  bool known = false;
  std::vector<RosterEntry> changed;  // in order of their version; no item = removed; no requests
};

// What becomes of an entry: gets what is, returns what shall be (the contact is kept). Runs on a
// store thread inside the transaction and may run more than once: pure, no captures that others
// change.
using RosterTransition = std::function<RosterEntry(const RosterEntry& before)>;

struct RosterUpdateOptions {
  // The effect id of the stanza that causes it (R2); empty: repeats are not recognised.
  std::string cause;
  uint32_t max_items = 5000;  // kFull when the update adds one more
  uint32_t max_requests = 1000;
};

struct RosterUpdate {
  enum class Outcome {
    kChanged,
    kUnchanged,  // nothing written: before == after
    kRepeated,   // this cause was here already; before, after and version are what they were then
    kFull,       // nothing written: limits
    kNoOwner,    // nothing written: no such account
  };
  Outcome outcome = Outcome::kUnchanged;
  RosterEntry before, after;
  // After the update; raised only if the item changed: a request alone is nothing that clients see.
  int64_t version = 0;
};

// One per loop, as AccountStore; errors and unknown outcomes as there. After kUnknown, update again
// with the same cause.
class RosterStore {
 public:
  virtual ~RosterStore() = default;
  virtual runtime::Task<runtime::Result<Roster>> Load(xmpp::BareJid account) = 0;
  virtual runtime::Task<runtime::Result<RosterEntry>> Find(xmpp::BareJid account,
                                                           xmpp::Jid contact) = 0;
  // Versions of an account that was removed and made again are greater than those before, unless it
  // changed more than once a second all its life.
  virtual runtime::Task<runtime::Result<RosterChanges>> Since(xmpp::BareJid account,
                                                              int64_t version) = 0;
  // The only way to write: read, decide and write in one transaction, so that two servers that
  // change the same contact at once both count. A function rather than an expected version: the
  // decision is a table look-up (appendix A), and a conflict would only have it made again.
  virtual runtime::Task<runtime::Result<RosterUpdate>> Update(xmpp::BareJid account,
                                                              xmpp::Jid contact,
                                                              RosterTransition transition,
                                                              RosterUpdateOptions options) = 0;
};

}  // namespace business
