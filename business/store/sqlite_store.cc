#include "business/store/sqlite_store.h"

#include <utility>

namespace business {

using runtime::Result;

Result<std::unique_ptr<Store>> SqliteStore::Open(SqliteDatabase::Options options) {
  auto database = SqliteDatabase::Open(std::move(options));
  if (!database) return database.error();
  return std::unique_ptr<Store>(new SqliteStore(std::move(*database)));
}

SqlStore::Inspection SqliteStore::InspectionOf() const {
  return [path = database_->path()] { return InspectSqlite(path, /*thorough=*/false); };
}

}  // namespace business
