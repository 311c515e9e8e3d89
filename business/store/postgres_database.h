// The PostgreSQL store of one process: a writer, and a pool of readers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "business/store/postgres_committer.h"
#include "business/store/postgres_reader.h"
#include "business/store/sql_database.h"
#include "lib/runtime/result.h"

namespace business {

// Outcomes of writes as PostgresCommitter says.
class PostgresDatabase : public SqlDatabase {
 public:
  struct Options {
    std::string url, password;
    std::chrono::milliseconds commit_delay{2};
    uint32_t commit_batch = 512;
    uint32_t queue = 20000;
    uint32_t readers = 4;
    std::chrono::milliseconds patience{30000};
    std::chrono::milliseconds read_back{5000};
    // Of one statement: the writer's, and of a read, which people wait for.
    std::chrono::milliseconds write_limit{10000}, read_limit{5000};
    std::chrono::milliseconds lock_limit{1000};
  };
  // Migrates the database. Start-up only: blocks. Waits for a server that is just starting.
  static runtime::Result<std::unique_ptr<PostgresDatabase>> Open(Options options);

  void Submit(Kind kind, StoreOperationPtr operation) override {
    kind == Kind::kWrite ? writer_->Submit(std::move(operation))
                         : reader_->Submit(std::move(operation));
  }

  // Why the server is not reached; nullopt: it is. Any thread.
  std::optional<std::string> Trouble() const { return reach_.trouble(); }

  const Options& options() const { return options_; }
  PostgresCommitter::Stats stats() const { return writer_->stats(); }
  PostgresConnection::Options ConnectionOptions(std::string name) const;

 private:
  explicit PostgresDatabase(Options options) : options_(std::move(options)) {}

  const Options options_;
  PostgresReach reach_;
  std::unique_ptr<PostgresCommitter> writer_;
  std::unique_ptr<PostgresReader> reader_;
};

}  // namespace business
