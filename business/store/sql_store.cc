#include "business/store/sql_store.h"

#include <chrono>
#include <ctime>
#include <utility>

#include "business/store/sql_account_data_store.h"
#include "business/store/sql_account_store.h"
#include "business/store/sql_archive_store.h"
#include "business/store/sql_domain_store.h"
#include "business/store/sql_generation_store.h"
#include "business/store/sql_offline_store.h"
#include "business/store/sql_owner_store.h"
#include "business/store/sql_pubsub_store.h"
#include "business/store/sql_roster_store.h"

namespace business {

using runtime::Error;
using runtime::EventLoop;
using runtime::OneShot;
using runtime::Result;
using runtime::Task;

SqlStore::~SqlStore() {
  if (checker_.joinable()) checker_.join();
}

std::unique_ptr<AccountStore> SqlStore::Accounts(EventLoop* loop) {
  return std::make_unique<SqlAccountStore>(database(), loop);
}

std::unique_ptr<cluster::GenerationStore> SqlStore::Generations(EventLoop* loop) {
  return std::make_unique<SqlGenerationStore>(database(), loop);
}

std::unique_ptr<OwnerStore> SqlStore::Owners(EventLoop* loop) {
  return std::make_unique<SqlOwnerStore>(database(), loop);
}

std::unique_ptr<RosterStore> SqlStore::Rosters(EventLoop* loop) {
  return std::make_unique<SqlRosterStore>(database(), loop);
}

std::unique_ptr<OfflineStore> SqlStore::Offline(EventLoop* loop) {
  return std::make_unique<SqlOfflineStore>(database(), loop);
}

std::unique_ptr<ArchiveStore> SqlStore::Archives(EventLoop* loop) {
  return std::make_unique<SqlArchiveStore>(database(), loop);
}

std::unique_ptr<AccountDataStore> SqlStore::AccountData(EventLoop* loop) {
  return std::make_unique<SqlAccountDataStore>(database(), loop);
}

std::unique_ptr<PubsubStore> SqlStore::Pubsub(EventLoop* loop) {
  return std::make_unique<SqlPubsubStore>(database(), loop);
}

std::unique_ptr<DomainStore> SqlStore::Domains(EventLoop* loop) {
  return std::make_unique<SqlDomainStore>(database(), loop);
}

Task<Result<Store::Report>> SqlStore::Check(EventLoop* loop) {
  if (checking_.exchange(true)) co_return Error::Unavailable("a check is running already");
  const auto began = std::chrono::steady_clock::now();
  StoreWork<bool> write = [](SqlConnection& connection) -> Result<bool> {
    if (!connection
             .Query("INSERT INTO probe VALUES (1, ?1) "
                    "ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp")
             .Bind(1, static_cast<int64_t>(std::time(nullptr)))
             .Run()) {
      return connection.LastError();
    }
    return true;
  };
  Result<bool> written = co_await database()->Write<bool>(loop, {}, std::move(write));
  if (!written) {
    checking_ = false;
    co_return written.error();
  }
  Report report;
  report.write = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - began);

  auto answered = std::make_shared<OneShot<Result<StoreInspection>>>();
  if (checker_.joinable()) checker_.join();
  checker_ = std::thread([this, loop, answered, inspect = InspectionOf()] {
    Result<StoreInspection> found = inspect();
    checking_ = false;
    loop->Post([answered, found = std::move(found)]() mutable { answered->Set(std::move(found)); });
  });
  auto& answer = *answered;
  Result<StoreInspection> found = co_await answer;
  if (!found) co_return found.error();
  static_cast<StoreInspection&>(report) = *std::move(found);
  co_return report;
}

}  // namespace business
