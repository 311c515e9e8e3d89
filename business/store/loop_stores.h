// The typed stores of one event loop.
#pragma once

#include <memory>

#include "business/store/store.h"

namespace business {

// Lives on its loop. `Of` opens nothing: the store's threads are there already.
struct LoopStores {
  static LoopStores Of(Store* store, runtime::EventLoop* loop) {
    LoopStores stores;
    stores.accounts = store->Accounts(loop);
    stores.owners = store->Owners(loop);
    stores.rosters = store->Rosters(loop);
    stores.offline = store->Offline(loop);
    stores.archives = store->Archives(loop);
    stores.account_data = store->AccountData(loop);
    stores.pubsub = store->Pubsub(loop);
    stores.domains = store->Domains(loop);
    return stores;
  }

  std::unique_ptr<AccountStore> accounts;
  std::unique_ptr<OwnerStore> owners;
  std::unique_ptr<RosterStore> rosters;
  std::unique_ptr<OfflineStore> offline;
  std::unique_ptr<ArchiveStore> archives;
  std::unique_ptr<AccountDataStore> account_data;
  std::unique_ptr<PubsubStore> pubsub;
  std::unique_ptr<DomainStore> domains;
};

}  // namespace business
