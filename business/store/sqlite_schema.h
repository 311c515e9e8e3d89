// The tables and how they came to be: a list of versioned steps.
#pragma once

#include <vector>

#include "business/store/migration.h"
#include "business/store/sqlite_connection.h"
#include "lib/runtime/result.h"

namespace business {

const std::vector<Migration>& StoreMigrations();

// Brings the file up to the last of `steps`, each in a transaction of its own; several processes
// may start at once. Refuses, in one sentence, a file that is not ours and one that is more than
// one version ahead. Start-up only.
runtime::Result<void> Migrate(SqliteConnection& connection, const std::vector<Migration>& steps);

// 0: an empty file. Refuses one that is not ours.
runtime::Result<int64_t> SqliteSchemaVersion(SqliteConnection& connection);

}  // namespace business
