#include "business/store/postgres_store.h"

#include <ctime>
#include <utility>

#include "business/store/postgres_archive_store.h"

namespace business {

using runtime::Error;
using runtime::EventLoop;
using runtime::OneShot;
using runtime::Result;
using runtime::Task;

Result<std::unique_ptr<Store>> PostgresStore::Open(PostgresDatabase::Options options) {
  auto database = PostgresDatabase::Open(std::move(options));
  if (!database) return database.error();
  return std::unique_ptr<Store>(new PostgresStore(std::move(*database)));
}

PostgresStore::~PostgresStore() {
  if (checker_.joinable()) checker_.join();
}

std::unique_ptr<ArchiveStore> PostgresStore::Archives(EventLoop* loop) {
  return std::make_unique<PostgresArchiveStore>(database_.get(), loop);
}

Task<Result<Store::Report>> PostgresStore::Check(EventLoop* loop) {
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
  Result<bool> written = co_await database_->Write<bool>(loop, {}, std::move(write));
  if (!written) {
    checking_ = false;
    co_return written.error();
  }
  Report report;
  report.write = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - began);

  // On a connection of its own: it may take seconds.
  auto answered = std::make_shared<OneShot<Result<StoreInspection>>>();
  if (checker_.joinable()) checker_.join();
  checker_ = std::thread([this, loop, answered,
                          options = database_->ConnectionOptions("xylem-check")] {
    Result<StoreInspection> found = InspectPostgres(options);
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
