// The typed stores of any SQL engine.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "business/store/sql_database.h"
#include "business/store/store.h"

namespace business {

class SqlStore : public Store {
 public:
  ~SqlStore() override;
  std::unique_ptr<AccountStore> Accounts(runtime::EventLoop* loop) override;
  std::unique_ptr<cluster::GenerationStore> Generations(runtime::EventLoop* loop) override;
  std::unique_ptr<OwnerStore> Owners(runtime::EventLoop* loop) override;
  std::unique_ptr<RosterStore> Rosters(runtime::EventLoop* loop) override;
  std::unique_ptr<OfflineStore> Offline(runtime::EventLoop* loop) override;
  std::unique_ptr<ArchiveStore> Archives(runtime::EventLoop* loop) override;
  std::unique_ptr<AccountDataStore> AccountData(runtime::EventLoop* loop) override;
  std::unique_ptr<PubsubStore> Pubsub(runtime::EventLoop* loop) override;
  std::unique_ptr<DomainStore> Domains(runtime::EventLoop* loop) override;
  runtime::Task<runtime::Result<Report>> Check(runtime::EventLoop* loop) override;

 protected:
  virtual SqlDatabase* database() = 0;
  // Looks at the store on a connection of its own, which may take seconds; on a thread that may
  // outlive the heir.
  using Inspection = std::function<runtime::Result<StoreInspection>()>;
  virtual Inspection InspectionOf() const = 0;

 private:
  std::thread checker_;  // the newest check
  std::atomic<bool> checking_{false};
};

}  // namespace business
