#include "business/store/sqlite_store.h"

#include <sqlite3.h>

#include <utility>

namespace business {

using runtime::Error;
using runtime::EventLoop;
using runtime::OneShot;
using runtime::Result;
using runtime::Task;

namespace {

struct Integrity {
  std::string text;
  int64_t schema = 0;
};

Result<Integrity> CheckFile(const std::string& path) {
  auto connection = SqliteConnection::Open({.path = path, .read_only = true});
  if (!connection) return connection.error();
  Integrity found;
  SqlQuery version = (*connection)->Query("PRAGMA user_version");
  if (version.Step()) found.schema = version.Int(0);
  SqlQuery check = (*connection)->Query("PRAGMA quick_check(1)");
  if (!check.Step()) return (*connection)->LastError();
  found.text = check.Text(0);
  return found;
}

}  // namespace

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
  report.engine = std::string("SQLite ") + sqlite3_libversion() + ", " + database_->path();

  // A large file takes seconds to check: the reader must not.
  auto answered = std::make_shared<OneShot<Result<Integrity>>>();
  if (checker_.joinable()) checker_.join();
  checker_ = std::thread([this, loop, answered, path = database_->path()] {
    Result<Integrity> found = CheckFile(path);
    checking_ = false;
    loop->Post([answered, found = std::move(found)]() mutable { answered->Set(std::move(found)); });
  });
  auto& answer = *answered;
  Result<Integrity> integrity = co_await answer;
  if (!integrity) co_return integrity.error();
  report.integrity = integrity->text;
  report.schema = integrity->schema;
  co_return report;
}

}  // namespace business
