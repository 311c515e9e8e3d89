#include "business/store/sqlite_schema.h"

#include <string>

#include "business/store/collections_schema.h"
#include "lib/runtime/log.h"

namespace business {
namespace {

using runtime::Error;
using runtime::Result;

constexpr int64_t kApplicationId = 0x58594c4d;  // "XYLM": tells our files from others'

Result<int64_t> Pragma(SqliteConnection& connection, std::string_view sql) {
  SqlQuery query = connection.Query(sql);
  if (query.Step()) return query.Int(0);
  return connection.LastError();
}

Result<void> Apply(SqliteConnection& connection, const Migration& step) {
  if (!connection.Execute("BEGIN IMMEDIATE")) return connection.LastError();
  const Result<int64_t> version = Pragma(connection, "PRAGMA user_version");
  if (!version) return version.error();
  if (*version >= step.version) {  // another process was faster
    connection.Execute("ROLLBACK");
    return {};
  }
  const bool done = connection.Execute(step.sql) &&
                    connection.Execute("PRAGMA application_id=" + std::to_string(kApplicationId)) &&
                    connection.Execute("PRAGMA user_version=" + std::to_string(step.version)) &&
                    connection.Execute("COMMIT");
  if (done) return {};
  const Error error = connection.LastError();
  if (connection.InTransaction()) connection.Execute("ROLLBACK");
  return Error::Failed("migration to schema version " + std::to_string(step.version) +
                       " failed: " + error.message);
}

}  // namespace

const std::vector<Migration>& StoreMigrations() {
  static const std::vector<Migration> steps = {
      {1, R"sql(
        CREATE TABLE account (
          jid TEXT NOT NULL PRIMARY KEY,       -- bare, normalised
          domain TEXT NOT NULL,
          created INTEGER NOT NULL,            -- seconds since the epoch
          password_changed INTEGER NOT NULL,
          locked INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX account_by_domain ON account (domain, jid);
        CREATE TABLE credential (
          jid TEXT NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
          hash TEXT NOT NULL,                  -- SHA-1, SHA-256, SHA-512
          iterations INTEGER NOT NULL,
          salt BLOB NOT NULL,
          stored_key BLOB NOT NULL,
          server_key BLOB NOT NULL,
          PRIMARY KEY (jid, hash)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE cluster_state (           -- one row: the Redis generation (R11)
          id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
          generation INTEGER NOT NULL,
          fingerprint TEXT NOT NULL
        ) STRICT;
        INSERT INTO cluster_state VALUES (1, 0, '');
        CREATE TABLE probe (                   -- written by the doctor
          id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
          stamp INTEGER NOT NULL
        ) STRICT;
      )sql"},
      {2, kCollectionsSchema},
  };
  return steps;
}

Result<int64_t> SqliteSchemaVersion(SqliteConnection& connection) {
  const Result<int64_t> version = Pragma(connection, "PRAGMA user_version");
  if (!version) return version.error();
  const Result<int64_t> application = Pragma(connection, "PRAGMA application_id");
  if (!application) return application.error();
  const Result<int64_t> tables = Pragma(connection, "SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const bool fresh = *version == 0 && *tables == 0;
  if (!fresh && *application != kApplicationId) {
    return Error::Failed("the file is an SQLite database, but not a store of Xylem");
  }
  return version;
}

Result<void> Migrate(SqliteConnection& connection, const std::vector<Migration>& steps) {
  const Result<int64_t> version = SqliteSchemaVersion(connection);
  if (!version) return version.error();
  const Result<bool> behind = IsBehind(*version, steps);
  if (!behind) return behind.error();
  for (const Migration& step : steps) {
    if (step.version <= *version) continue;
    Result<void> applied = Apply(connection, step);
    if (!applied) return applied;
    runtime::LogInfo("store_migrated", "schema raised", {{"schema", step.version}});
  }
  return {};
}

}  // namespace business
