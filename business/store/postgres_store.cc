#include "business/store/postgres_store.h"

#include <ctime>
#include <string_view>
#include <utility>

#include "business/store/postgres_archive_store.h"
#include "business/store/postgres_schema.h"

namespace business {

using runtime::Error;
using runtime::EventLoop;
using runtime::OneShot;
using runtime::Result;
using runtime::Task;

namespace {

struct Integrity {
  std::string text, version;
  int64_t schema = 0;
};

// What makes a commit less than durable, or an answer less than right.
constexpr std::string_view kFaults =
    "SELECT 'fsync is off: a crash loses what was acknowledged' "
    "WHERE current_setting('fsync') = 'off' UNION ALL "
    "SELECT 'full_page_writes is off: a crash may leave torn pages' "
    "WHERE current_setting('full_page_writes') = 'off' UNION ALL "
    "SELECT 'index ' || c.relname || ' is not valid' FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE NOT i.indisvalid AND n.nspname = current_schema() UNION ALL "
    "SELECT 'archive ' || a.id || ' has rows behind its newest position' FROM archive a "
    "WHERE EXISTS (SELECT 1 FROM archive_row r WHERE r.id > (a.id << 36) + a.position "
    "AND r.id < (a.id + 1) << 36) LIMIT 1";

Result<Integrity> CheckServer(const PostgresConnection::Options& options) {
  auto connection = PostgresConnection::Open(options);
  if (!connection) return connection.error();
  Integrity found;
  const Result<int64_t> schema = PostgresSchemaVersion(**connection);
  if (!schema) return schema.error();
  found.schema = *schema;
  SqlQuery version =
      (*connection)->Query("SELECT current_setting('server_version'), current_database()");
  if (!version.Step()) return (*connection)->LastError();
  found.version = "PostgreSQL " + version.Text(0) + ", database " + version.Text(1);
  SqlQuery fault = (*connection)->Query(kFaults);
  found.text = fault.Step() ? fault.Text(0) : "ok";
  if (!fault.ok()) return (*connection)->LastError();
  return found;
}

}  // namespace

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
  auto answered = std::make_shared<OneShot<Result<Integrity>>>();
  if (checker_.joinable()) checker_.join();
  checker_ = std::thread([this, loop, answered,
                          options = database_->ConnectionOptions("xylem-check")] {
    Result<Integrity> found = CheckServer(options);
    checking_ = false;
    loop->Post([answered, found = std::move(found)]() mutable { answered->Set(std::move(found)); });
  });
  auto& answer = *answered;
  Result<Integrity> integrity = co_await answer;
  if (!integrity) co_return integrity.error();
  report.integrity = integrity->text;
  report.schema = integrity->schema;
  report.engine = integrity->version;
  co_return report;
}

}  // namespace business
