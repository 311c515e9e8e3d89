// XEP-0441: what an account wants archived, by the account's version (R13).
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>

#include "business/session/shard.h"
#include "business/store/archive_store.h"
#include "business/store/versioned_cache.h"
#include "lib/xmpp/jid.h"

namespace business {

using PreferencesPtr = std::shared_ptr<const ArchivePreferences>;  // nullptr: the defaults

// Does an account with these preferences archive what it exchanges with `with`? §3.2: a listed
// full JID is more exact than a bare one, and "never" outweighs "always".
enum class ArchiveChoice : uint8_t { kYes, kNo, kIfInRoster };
ArchiveChoice ChoiceOf(const ArchivePreferences& preferences, const xmpp::Jid& with);

// One per loop, lives on it.
class ArchivePreferencesCache {
 public:
  explicit ArchivePreferencesCache(Shard* shard);

  // Is what `account` exchanges with `with` to be kept out of its archive? Called back at once or
  // later. While that cannot be found out it is archived: what is not there cannot be found again.
  using Answer = absl::AnyInvocable<void(bool refuses)>;
  void Refuses(const xmpp::BareJid& account, const xmpp::Jid& with, Answer answer);

 private:
  Shard* const shard_;
  VersionedCache<PreferencesPtr, Shard> cache_;
};

}  // namespace business
