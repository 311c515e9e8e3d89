// Store on one SQLite file, shared by the processes of one host.
#pragma once

#include <memory>

#include "business/store/sql_store.h"
#include "business/store/sqlite_database.h"

namespace business {

class SqliteStore : public SqlStore {
 public:
  static runtime::Result<std::unique_ptr<Store>> Open(SqliteDatabase::Options options);


 private:
  explicit SqliteStore(std::unique_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  SqlDatabase* database() override { return database_.get(); }
  Inspection InspectionOf() const override;

  std::unique_ptr<SqliteDatabase> database_;
};

}  // namespace business
