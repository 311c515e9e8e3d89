// Store on one SQLite file, shared by the processes of one host.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "business/store/sqlite_database.h"
#include "business/store/store.h"

namespace business {

class SqliteStore : public Store {
 public:
  static runtime::Result<std::unique_ptr<Store>> Open(SqliteDatabase::Options options);
  ~SqliteStore() override;

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

 private:
  explicit SqliteStore(std::unique_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  std::unique_ptr<SqliteDatabase> database_;
  std::thread checker_;  // the newest check
  std::atomic<bool> checking_{false};
};

}  // namespace business
