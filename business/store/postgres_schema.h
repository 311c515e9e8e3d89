// The tables in PostgreSQL and how they came to be.
#pragma once

#include <vector>

#include "business/store/migration.h"
#include "business/store/postgres_connection.h"
#include "lib/runtime/result.h"

namespace business {

const std::vector<Migration>& PostgresMigrations();

// Brings the database up to the last of `steps`, each in a transaction of its own; servers that
// start at once wait for each other (an advisory lock). A role that may not make tables can start
// when nothing is left to do. Refuses in one sentence what SQLite's Migrate refuses.
// Start-up only.
runtime::Result<void> MigratePostgres(PostgresConnection& connection,
                                      const std::vector<Migration>& steps);

// 0: not a store of ours.
runtime::Result<int64_t> PostgresSchemaVersion(PostgresConnection& connection);

}  // namespace business
