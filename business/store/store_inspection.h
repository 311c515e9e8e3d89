// What a store is and whether it is well, seen from outside: for the doctor and `xylemctl store`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "business/store/postgres_connection.h"
#include "lib/runtime/result.h"

namespace business {

struct StoreInspection {
  std::string engine;               // "SQLite 3.40.1, /var/lib/xylem/xylem.db"
  int64_t schema = 0;               // 0: no tables yet
  int64_t known = 0;                // the newest that this release knows
  std::vector<std::string> faults;  // a sentence each, at most some of each kind
};

// Nothing is written, nothing is migrated, and servers may be at work meanwhile. `thorough` compares
// every index with its table too, where the engine can. Errors are sentences for people:
// kUnavailable where the store is not reached, kFailed where it is none of ours. Blocks.
runtime::Result<StoreInspection> InspectSqlite(const std::string& path, bool thorough);
runtime::Result<StoreInspection> InspectPostgres(const PostgresConnection::Options& options);

struct StoreMigration {
  std::string engine;
  int64_t before = 0, after = 0;
};
// Brings the tables up to this release, as each server does when it starts; servers of the release
// before go on meanwhile. Errors as above. Blocks, if need be for as long as tables are rewritten.
runtime::Result<StoreMigration> MigrateSqliteStore(const std::string& path);
runtime::Result<StoreMigration> MigratePostgresStore(const PostgresConnection::Options& options);

}  // namespace business
