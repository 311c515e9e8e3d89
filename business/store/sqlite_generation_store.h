// The Redis generation (design R11) on SQLite.
#pragma once

#include "business/store/sqlite_database.h"
#include "lib/cluster/generation.h"

namespace business {

class SqliteGenerationStore : public cluster::GenerationStore {
 public:
  SqliteGenerationStore(SqliteDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<State>> Read() override;
  runtime::Task<runtime::Result<State>> Raise(uint64_t from, std::string fingerprint) override;

 private:
  SqliteDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
