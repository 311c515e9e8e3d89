// The SQLite store of one process: one writer thread, one reader thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "business/store/group_committer.h"
#include "business/store/sql_database.h"
#include "business/store/store_reader.h"
#include "lib/runtime/result.h"

namespace business {

// Outcomes of writes as GroupCommitter says.
class SqliteDatabase : public SqlDatabase {
 public:
  struct Options {
    std::string path;
    std::chrono::milliseconds commit_delay{2};
    uint32_t commit_batch = 512;
    uint32_t queue = 20000;
    std::chrono::milliseconds patience{30000};
  };
  // Opens or makes the file and migrates it. Start-up only: blocks.
  static runtime::Result<std::unique_ptr<SqliteDatabase>> Open(Options options);

  void Submit(Kind kind, StoreOperationPtr operation) override {
    kind == Kind::kWrite ? writer_->Submit(std::move(operation))
                         : reader_->Submit(std::move(operation));
  }

  const std::string& path() const { return options_.path; }
  GroupCommitter::Stats stats() const { return writer_->stats(); }

 private:
  explicit SqliteDatabase(Options options) : options_(std::move(options)) {}

  const Options options_;
  std::unique_ptr<GroupCommitter> writer_;
  std::unique_ptr<StoreReader> reader_;
};

}  // namespace business
