// The typed stores of any SQL engine.
#pragma once

#include <memory>

#include "business/store/sql_database.h"
#include "business/store/store.h"

namespace business {

class SqlStore : public Store {
 public:
  std::unique_ptr<AccountStore> Accounts(runtime::EventLoop* loop) override;
  std::unique_ptr<cluster::GenerationStore> Generations(runtime::EventLoop* loop) override;
  std::unique_ptr<OwnerStore> Owners(runtime::EventLoop* loop) override;
  std::unique_ptr<RosterStore> Rosters(runtime::EventLoop* loop) override;
  std::unique_ptr<OfflineStore> Offline(runtime::EventLoop* loop) override;
  std::unique_ptr<ArchiveStore> Archives(runtime::EventLoop* loop) override;
  std::unique_ptr<AccountDataStore> AccountData(runtime::EventLoop* loop) override;
  std::unique_ptr<PubsubStore> Pubsub(runtime::EventLoop* loop) override;
  std::unique_ptr<DomainStore> Domains(runtime::EventLoop* loop) override;

 protected:
  virtual SqlDatabase* database() = 0;
};

}  // namespace business
