// The store's one writer: many operations, one transaction, one sync.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "business/store/sqlite_connection.h"
#include "business/store/write_queue.h"
#include "business/store/write_turn.h"

namespace business {

// Owns the writer thread and its connection. Submit from any thread; operations commit in the order
// they came, each in a savepoint of its own, and are answered after COMMIT.
//
// Outcomes (R4): an operation's own error – that one was undone; kUnavailable – nothing of
// the batch happened (queue full, disk full, locked); kUnknown – COMMIT failed and what the disk
// holds is not known: read back.
class GroupCommitter {
 public:
  struct Options {
    std::string path;
    WriteQueue::Options queue;
  };
  struct Stats : WriteQueue::Counts {
    uint64_t reopened = 0;
    uint64_t turn_wait_us = 0;
  };

  GroupCommitter(Options options, std::unique_ptr<SqliteConnection> connection);
  ~GroupCommitter();  // commits and answers what is queued

  void Submit(StoreOperationPtr operation) { queue_.Submit(std::move(operation)); }
  Stats stats() const;

 private:
  void Run();
  bool Begin();  // has the turn and a transaction
  void RunBatch(const WriteQueue::Batch& batch);
  void RunOne(StoreOperation& operation);
  void Commit(const WriteQueue::Batch& batch);
  void CheckpointIfLong();
  bool Reopen();

  const Options options_;
  WriteQueue queue_;
  std::unique_ptr<SqliteConnection> connection_;  // writer thread only, as all below
  WriteTurn turn_;
  std::atomic<uint64_t> reopened_{0}, turn_wait_us_{0};  // any thread reads them

  std::thread thread_;
};

}  // namespace business
