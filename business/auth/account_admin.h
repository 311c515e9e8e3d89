// What is done to accounts by who may: xylemctl and the console now; registration (XEP-0077) and
// ad-hoc administration (XEP-0133) when they come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "business/store/account_store.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

class PasswordWorkers;

// One per loop, lives on it. Whether the caller may is the caller's to know; so is ending the
// sessions of an account that is locked or gone.
//
// A change raises the account's version behind its SQL commit (R13). Errors are the store's and
// Redis'; kUnknown also when the change is committed and its version could not be raised: caches
// may hold the old account for a minute. The same call again is safe and makes it whole.
class AccountAdmin {
 public:
  struct Options {
    std::vector<std::string> domains;  // that are served, normalised or not; until SetDomains
    uint32_t scram_iterations = 10000;
  };
  AccountAdmin(runtime::EventLoop* loop, AccountStore* store, cluster::SessionRegistry* registry,
               PasswordWorkers* workers, Options options);

  void SetDomains(std::vector<std::string> domains) { domains_ = std::move(domains); }

  enum class Outcome {
    kDone,
    kExists,
    kMissing,
    kBadJid,         // no bare JID; to be added: also a confusable name
    kForeignDomain,  // to be added: at a domain that is not served
    kBadPassword,    // empty, over 1023 bytes, or with characters RFC 8265 §4.2 forbids
  };
  runtime::Task<runtime::Result<Outcome>> Add(std::string jid, std::string password);
  // With what was made of a password elsewhere; kBadPassword: no keys.
  runtime::Task<runtime::Result<Outcome>> AddWithKeys(std::string jid,
                                                      std::vector<xmpp::sasl::ScramKeys> keys);
  runtime::Task<runtime::Result<Outcome>> SetPassword(std::string jid, std::string password);
  runtime::Task<runtime::Result<Outcome>> Delete(std::string jid);
  runtime::Task<runtime::Result<Outcome>> SetLocked(std::string jid, bool locked);

  // From the store, not from a cache. nullopt: no such account, or no bare JID.
  runtime::Task<runtime::Result<std::optional<Account>>> Get(std::string jid);
  // Ordered by JID, behind `after`, without keys. Empty `domain` = all; `limit` 0 = 1000.
  runtime::Task<runtime::Result<std::vector<Account>>> List(std::string domain, std::string after,
                                                            uint32_t limit);

 private:
  bool Serves(std::string_view domain) const;
  runtime::Task<runtime::Result<Outcome>> RaiseVersion(xmpp::BareJid jid,
                                                       runtime::Result<AccountStore::Put> put);

  runtime::EventLoop* const loop_;
  AccountStore* const store_;
  cluster::SessionRegistry* const registry_;
  PasswordWorkers* const workers_;
  const uint32_t scram_iterations_;
  std::vector<std::string> domains_;  // normalised
};

}  // namespace business
