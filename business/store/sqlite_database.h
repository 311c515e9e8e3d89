// The SQLite store of one process: one writer thread, one reader thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "business/store/group_committer.h"
#include "business/store/store_operation.h"
#include "business/store/store_reader.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace business {

// Thread-safe; answers come on the loop given. Must be destroyed before those loops.
class SqliteDatabase {
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

  // `work` runs inside a transaction with others; an Error undoes it alone. Answered when synced;
  // outcomes as GroupCommitter says.
  template <typename T>
  runtime::Task<runtime::Result<T>> Write(runtime::EventLoop* loop, StoreWork<T> work) {
    auto answered = std::make_shared<runtime::OneShot<runtime::Result<T>>>();
    writer_->Submit(std::make_unique<TypedStoreOperation<T>>(loop, std::move(work), answered));
    auto& answer = *answered;  // g++ 12 copies what `co_await *x` names
    runtime::Result<T> result = co_await answer;
    co_return result;
  }
  template <typename T>
  runtime::Task<runtime::Result<T>> Read(runtime::EventLoop* loop, StoreWork<T> work) {
    auto answered = std::make_shared<runtime::OneShot<runtime::Result<T>>>();
    reader_->Submit(std::make_unique<TypedStoreOperation<T>>(loop, std::move(work), answered));
    auto& answer = *answered;  // g++ 12 copies what `co_await *x` names
    runtime::Result<T> result = co_await answer;
    co_return result;
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
