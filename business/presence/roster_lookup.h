// Who is in whose roster, for all that asks: presence, access models of PEP, archive preferences,
// service discovery, blocking.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "business/store/roster_store.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

using RosterPtr = std::shared_ptr<const Roster>;

// One per loop, lives on it: Shard::rosters. Everything here can be used by rooms below presence:
// it needs no linking.
class RosterLookup {
 public:
  virtual ~RosterLookup() = default;

  // The roster as it was committed when this was asked, or newer; from the cache when the account's
  // version still stands (R13). Empty for who has none, unknown accounts included. Errors: the
  // store's.
  virtual runtime::Task<runtime::Result<RosterPtr>> RosterOf(xmpp::BareJid account) = 0;

  // May `jid` see `account`'s presence (RFC 6121 §4.3.2)? An account may see its own.
  runtime::Task<runtime::Result<bool>> IsSubscribed(xmpp::BareJid account, xmpp::Jid jid);
};

// What stands between the account and `contact`, exactly that address; nullptr: nothing.
inline const RosterEntry* FindEntry(const Roster& roster, std::string_view contact) {
  const auto at = std::lower_bound(
      roster.entries.begin(), roster.entries.end(), contact,
      [](const RosterEntry& entry, std::string_view jid) { return entry.contact.ToString() < jid; });
  return at != roster.entries.end() && at->contact.ToString() == contact ? &*at : nullptr;
}

// The roster item of `contact`'s bare JID; nullptr: none.
inline const RosterItem* FindItem(const Roster& roster, const xmpp::Jid& contact) {
  const RosterEntry* entry = FindEntry(roster, contact.BareView());
  return entry != nullptr && entry->item ? &*entry->item : nullptr;
}

inline bool HasFrom(const RosterItem& item) {
  return (static_cast<uint8_t>(item.subscription) & static_cast<uint8_t>(Subscription::kFrom)) != 0;
}
inline bool HasTo(const RosterItem& item) {
  return (static_cast<uint8_t>(item.subscription) & static_cast<uint8_t>(Subscription::kTo)) != 0;
}

// The contact gets the account's presence ("from", "both").
inline bool SubscribesToUs(const Roster& roster, const xmpp::Jid& contact) {
  const RosterItem* item = FindItem(roster, contact);
  return item != nullptr && HasFrom(*item);
}
// The account gets the contact's presence ("to", "both").
inline bool WeSubscribeTo(const Roster& roster, const xmpp::Jid& contact) {
  const RosterItem* item = FindItem(roster, contact);
  return item != nullptr && HasTo(*item);
}
inline bool IsInGroup(const RosterItem& item, std::string_view group) {
  return std::find(item.groups.begin(), item.groups.end(), group) != item.groups.end();
}

inline runtime::Task<runtime::Result<bool>> RosterLookup::IsSubscribed(xmpp::BareJid account,
                                                                       xmpp::Jid jid) {
  if (jid.BareView() == account.ToString()) co_return true;
  const auto roster = co_await RosterOf(std::move(account));
  if (!roster) co_return roster.error();
  co_return SubscribesToUs(**roster, jid);
}

}  // namespace business
