#include "business/store/store_inspection.h"

#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include "business/store/postgres_schema.h"
#include "business/store/sqlite_connection.h"
#include "business/store/sqlite_schema.h"
#include "business/store/write_turn.h"

namespace business {

using runtime::Error;
using runtime::Result;

namespace {

constexpr int64_t kCollections = 2;  // the schema that has all of them
constexpr std::chrono::seconds kTurnPatience{30};
constexpr std::chrono::hours kRewriting{12};

// What no engine keeps right by itself, as sentences; some of each kind are enough.
constexpr std::string_view kOwnFaults[] = {
    "SELECT 'account ' || a.jid || ' is no owner: nothing can be stored for it' FROM account a "
    "WHERE NOT EXISTS (SELECT 1 FROM owner o WHERE o.jid = a.jid) LIMIT 5",
    "SELECT 'account ' || a.jid || ' has no keys: nobody can log in to it' FROM account a "
    "WHERE NOT EXISTS (SELECT 1 FROM credential c WHERE c.jid = a.jid) LIMIT 5",
    "SELECT 'the roster of ' || o.jid || ' is older than its contact ' || i.contact "
    "FROM roster_item i JOIN owner o ON o.id = i.owner LEFT JOIN roster r ON r.owner = i.owner "
    "WHERE r.version IS NULL OR i.version > r.version LIMIT 5",
    "SELECT 'archive ' || a.id || ' has messages behind its newest position' FROM archive a "
    "WHERE EXISTS (SELECT 1 FROM archive_row r WHERE r.id > (a.id << 36) + a.position "
    "AND r.id < (a.id + 1) << 36) LIMIT 5",
    "SELECT 'archive ' || a.id || ' is confirmed beyond its newest position' FROM archive a "
    "WHERE a.mark > a.position LIMIT 5",
};

// What makes a commit less than durable, or an answer less than right.
constexpr std::string_view kPostgresFaults[] = {
    "SELECT 'fsync is off: a crash loses what was acknowledged' "
    "WHERE current_setting('fsync') = 'off'",
    "SELECT 'full_page_writes is off: a crash may leave torn pages' "
    "WHERE current_setting('full_page_writes') = 'off'",
    "SELECT 'index ' || c.relname || ' is not valid' FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE NOT i.indisvalid AND n.nspname = current_schema() LIMIT 5",
};

bool Collect(SqlConnection& connection, std::string_view sql, std::vector<std::string>* faults) {
  SqlQuery row = connection.Query(sql);
  while (row.Step()) faults->push_back(row.Text(0));
  return row.ok();
}

bool CollectOwn(SqlConnection& connection, StoreInspection* found) {
  if (found->schema > found->known + 1) {
    found->faults.push_back("a later release made it: this one does not start on it");
  }
  if (found->schema < kCollections) return true;
  for (const std::string_view sql : kOwnFaults) {
    if (!Collect(connection, sql, &found->faults)) return false;
  }
  return true;
}

std::string SqliteName(const std::string& path) {
  return std::string("SQLite ") + sqlite3_libversion() + ", " + path;
}

Result<std::string> PostgresName(PostgresConnection& connection) {
  SqlQuery version =
      connection.Query("SELECT current_setting('server_version'), current_database()");
  if (!version.Step()) return connection.LastError();
  return "PostgreSQL " + version.Text(0) + ", database " + version.Text(1);
}

bool CollectSqlite(SqliteConnection& connection, bool thorough, std::vector<std::string>* faults) {
  SqlQuery check =
      connection.Query(thorough ? "PRAGMA integrity_check(5)" : "PRAGMA quick_check(1)");
  while (check.Step()) {
    if (check.Text(0) != "ok") faults->push_back(check.Text(0));
  }
  if (!check.ok()) return false;
  if (!thorough) return true;
  SqlQuery stray = connection.Query("PRAGMA foreign_key_check");
  for (int i = 0; i < 5 && stray.Step(); ++i) {
    faults->push_back("a row of " + stray.Text(0) + " belongs to nothing in " + stray.Text(2));
  }
  return stray.ok();
}

}  // namespace

Result<StoreInspection> InspectSqlite(const std::string& path, bool thorough) {
  if (access(path.c_str(), R_OK) != 0) {
    return Error::Unavailable(path + ": " + std::strerror(errno));
  }
  auto opened = SqliteConnection::Open({.path = path, .read_only = true});
  if (!opened) return opened.error();
  SqliteConnection& connection = **opened;
  StoreInspection found{.engine = SqliteName(path), .known = StoreMigrations().back().version};
  const Result<int64_t> schema = SqliteSchemaVersion(connection);
  if (!schema) return Error{schema.error().kind, path + ": " + schema.error().message};
  found.schema = *schema;
  // A damaged file fails in the middle of looking at it: that is what was found.
  if (!CollectSqlite(connection, thorough, &found.faults) || !CollectOwn(connection, &found)) {
    const Error error = connection.LastError();
    if (error.kind == runtime::ErrorKind::kUnavailable) return error;
    found.faults.push_back(error.message);
  }
  return found;
}

Result<StoreInspection> InspectPostgres(const PostgresConnection::Options& options) {
  auto opened = PostgresConnection::Open(options);
  if (!opened) return opened.error();
  PostgresConnection& connection = **opened;
  StoreInspection found{.known = PostgresMigrations().back().version};
  Result<std::string> name = PostgresName(connection);
  if (!name) return name.error();
  found.engine = *std::move(name);
  const Result<int64_t> schema = PostgresSchemaVersion(connection);
  if (!schema) return schema.error();
  found.schema = *schema;
  for (const std::string_view sql : kPostgresFaults) {
    if (!Collect(connection, sql, &found.faults)) return connection.LastError();
  }
  if (!CollectOwn(connection, &found)) return connection.LastError();
  return found;
}

Result<StoreMigration> MigrateSqliteStore(const std::string& path) {
  WriteTurn turn(path + "-turn");
  if (!turn.Take(kTurnPatience)) return Error::Unavailable(turn.error());
  auto opened = SqliteConnection::Open({.path = path});
  if (!opened) return opened.error();
  SqliteConnection& connection = **opened;
  StoreMigration done{.engine = SqliteName(path)};
  const Result<int64_t> before = SqliteSchemaVersion(connection);
  if (!before) return Error{before.error().kind, path + ": " + before.error().message};
  done.before = *before;
  const Result<void> migrated = Migrate(connection, StoreMigrations());
  if (!migrated) return Error{migrated.error().kind, path + ": " + migrated.error().message};
  const Result<int64_t> after = SqliteSchemaVersion(connection);
  if (!after) return after.error();
  done.after = *after;
  return done;
}

Result<StoreMigration> MigratePostgresStore(const PostgresConnection::Options& options) {
  PostgresConnection::Options patient = options;
  patient.statement = kRewriting;
  auto opened = PostgresConnection::Open(patient);
  if (!opened) return opened.error();
  PostgresConnection& connection = **opened;
  StoreMigration done;
  Result<std::string> name = PostgresName(connection);
  if (!name) return name.error();
  done.engine = *std::move(name);
  const Result<int64_t> before = PostgresSchemaVersion(connection);
  if (!before) return before.error();
  done.before = *before;
  const Result<void> migrated = MigratePostgres(connection, PostgresMigrations());
  if (!migrated) return migrated.error();
  const Result<int64_t> after = PostgresSchemaVersion(connection);
  if (!after) return after.error();
  done.after = *after;
  return done;
}

}  // namespace business
