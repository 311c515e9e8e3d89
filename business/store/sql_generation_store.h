// The Redis generation (R11) on an SQL engine.
#pragma once

#include "business/store/sql_database.h"
#include "lib/cluster/generation.h"

namespace business {

class SqlGenerationStore : public cluster::GenerationStore {
 public:
  SqlGenerationStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<State>> Read() override;
  runtime::Task<runtime::Result<State>> Raise(uint64_t from, std::string fingerprint) override;

 private:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
