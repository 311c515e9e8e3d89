#include "business/store/sqlite_store.h"

#include <utility>

namespace business {

using runtime::Error;
using runtime::EventLoop;
using runtime::OneShot;
using runtime::Result;
using runtime::Task;

Result<std::unique_ptr<Store>> SqliteStore::Open(SqliteDatabase::Options options) {
  auto database = SqliteDatabase::Open(std::move(options));
  if (!database) return database.error();
  return std::unique_ptr<Store>(new SqliteStore(std::move(*database)));
}

SqliteStore::~SqliteStore() {
  if (checker_.joinable()) checker_.join();
}

Task<Result<Store::Report>> SqliteStore::Check(EventLoop* loop) {
  if (checking_.exchange(true)) co_return Error::Unavailable("a check is running already");
  const auto began = std::chrono::steady_clock::now();
  StoreWork<bool> write = [](SqlConnection& connection) -> Result<bool> {
    if (!connection
             .Query("INSERT INTO probe VALUES (1, unixepoch()) "
                    "ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp")
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

  // A large file takes seconds to check: the reader must not.
  auto answered = std::make_shared<OneShot<Result<StoreInspection>>>();
  if (checker_.joinable()) checker_.join();
  checker_ = std::thread([this, loop, answered, path = database_->path()] {
    Result<StoreInspection> found = InspectSqlite(path, /*thorough=*/false);
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
