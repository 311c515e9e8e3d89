// The writer of a PostgreSQL store: many operations, one transaction, one sync.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "business/store/postgres_connection.h"
#include "business/store/postgres_reach.h"
#include "business/store/write_queue.h"

namespace business {

// Owns the writer thread and its connection. Submit from any thread; operations of one owner commit
// in the order they came, and are answered after COMMIT.
//
// A batch locks the rows of all its owners, in the order of their numbers, and only then looks at
// anything: servers that write for the same owners wait for each other and never deadlock. What
// failed for a reason that passes – connection, locks, deadlocks – is tried again while its
// patience lasts. A COMMIT without an answer is looked up in store_writer by the next connection;
// only if there is none for a while, its outcome is kUnknown (R4).
class PostgresCommitter {
 public:
  struct Options {
    PostgresConnection::Options connection;
    WriteQueue::Options queue;
    std::chrono::milliseconds read_back{5000};  // for what became of one
    PostgresReach* reach = nullptr;             // outlives this
  };
  struct Stats : WriteQueue::Counts {
    uint64_t repeated = 0;   // batches run again after a failure that passed
    uint64_t read_back = 0;  // COMMITs without an answer of which the outcome was found
    uint64_t unknown = 0;    // and of which it was not
  };

  PostgresCommitter(Options options, std::unique_ptr<PostgresConnection> connection);
  ~PostgresCommitter();  // commits and answers what is queued, as far as the server is there

  void Submit(StoreOperationPtr operation) { queue_.Submit(std::move(operation)); }
  Stats stats() const;

 private:
  using Batch = WriteQueue::Batch;
  enum class Ran {
    kCommitted,
    kUndone,    // for a reason that passes
    kFailed,    // one of the operations is to blame
    kNotKnown,  // COMMIT was sent
  };

  void Run();
  void CommitBatch(Batch batch);
  Ran RunBatch(std::span<StoreOperation* const> operations, bool one_by_one);
  bool LockOwners(std::span<StoreOperation* const> operations);
  bool Begin(std::span<StoreOperation* const> operations);
  bool RunTogether(std::span<StoreOperation* const> operations);
  bool RunOneByOne(std::span<StoreOperation* const> operations);
  Ran Commit();
  Ran Resolve();
  std::vector<StoreOperation*> SetStuckAside(std::span<StoreOperation* const> operations);
  void PutBack(Batch batch, const runtime::Error& error, bool counts);
  void FailAll(Batch batch, const runtime::Error& error);
  bool Connected();
  bool EnsureWriterRow();
  void PauseAfterFailure();

  const Options options_;
  WriteQueue queue_;
  const std::string name_;                          // of this writer's connections
  std::unique_ptr<PostgresConnection> connection_;  // writer thread only, as all below
  int64_t writer_ = 0;                              // its row in store_writer
  int64_t batch_ = 0;                               // number of the newest
  int failures_ = 0;                                // one after another
  bool stuck_ = false;  // somebody holds an owner's row: it is passed over
  std::minstd_rand jitter_{std::random_device{}()};
  std::atomic<uint64_t> repeated_{0}, read_back_{0}, unknown_{0};  // any thread reads them

  std::thread thread_;
};

}  // namespace business
