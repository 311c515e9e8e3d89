// Store on one SQLite file, shared by the processes of one host.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "business/store/sql_store.h"
#include "business/store/sqlite_database.h"

namespace business {

class SqliteStore : public SqlStore {
 public:
  static runtime::Result<std::unique_ptr<Store>> Open(SqliteDatabase::Options options);
  ~SqliteStore() override;

  runtime::Task<runtime::Result<Report>> Check(runtime::EventLoop* loop) override;

 private:
  explicit SqliteStore(std::unique_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  SqlDatabase* database() override { return database_.get(); }

  std::unique_ptr<SqliteDatabase> database_;
  std::thread checker_;  // the newest check
  std::atomic<bool> checking_{false};
};

}  // namespace business
