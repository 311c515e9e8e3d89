// Who owns collections besides accounts: rooms, service domains, users without an account row.
#pragma once

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

// An account is an owner from AccountStore::Add to AccountStore::Remove, which takes all its
// collections with it in one transaction; others are added and removed here. Writing for somebody
// who is no owner is refused by every collection (kNoOwner): a message on its way to a removed
// account must not reach the next one of that name. Reading finds nothing.
//
// One per loop, as AccountStore.
class OwnerStore {
 public:
  virtual ~OwnerStore() = default;
  enum class Put { kDone, kExists, kMissing, kIsAccount };
  virtual runtime::Task<runtime::Result<Put>> Add(xmpp::Jid owner) = 0;
  // With all its collections. kIsAccount: accounts go by AccountStore::Remove.
  virtual runtime::Task<runtime::Result<Put>> Remove(xmpp::Jid owner) = 0;
};

}  // namespace business
