// Store on PostgreSQL, shared by the servers of many hosts.
#pragma once

#include <memory>

#include "business/store/postgres_database.h"
#include "business/store/sql_store.h"

namespace business {

class PostgresStore : public SqlStore {
 public:
  static runtime::Result<std::unique_ptr<Store>> Open(PostgresDatabase::Options options);

  std::unique_ptr<ArchiveStore> Archives(runtime::EventLoop* loop) override;
  std::optional<std::string> Trouble() const override { return database_->Trouble(); }

 private:
  explicit PostgresStore(std::unique_ptr<PostgresDatabase> database)
      : database_(std::move(database)) {}

  SqlDatabase* database() override { return database_.get(); }
  Inspection InspectionOf() const override;

  std::unique_ptr<PostgresDatabase> database_;
};

}  // namespace business
