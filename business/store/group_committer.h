// The store's one writer: many operations, one transaction, one sync (performance.md, rule 8).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "business/store/sqlite_connection.h"
#include "business/store/store_operation.h"
#include "business/store/write_turn.h"

namespace business {

struct CommitMeters;

// Owns the writer thread and its connection. Submit from any thread; operations commit in the order
// they came, each in a savepoint of its own, and are answered after COMMIT.
//
// Outcomes (design R4): an operation's own error – that one was undone; kUnavailable – nothing of
// the batch happened (queue full, disk full, locked); kUnknown – COMMIT failed and what the disk
// holds is not known: read back.
class GroupCommitter {
 public:
  struct Options {
    std::string path;
    std::chrono::milliseconds delay{2};
    uint32_t batch = 512;
    uint32_t queue = 20000;
    std::chrono::milliseconds patience{
        30000};  // an operation waits no longer for its commit to begin
  };
  struct Stats {
    uint64_t commits = 0, operations = 0, refused = 0, failed_commits = 0, reopened = 0;
    uint64_t turn_wait_us = 0;
  };

  GroupCommitter(Options options, std::unique_ptr<SqliteConnection> connection);
  ~GroupCommitter();  // commits and answers what is queued

  void Submit(StoreOperationPtr operation);
  Stats stats() const;

 private:
  void Run();
  bool WaitForWork();
  bool Begin();                           // has the turn and a transaction
  std::vector<StoreOperationPtr> Take();  // at most a batch
  void RunBatch(std::vector<StoreOperationPtr>& batch);
  void RunOne(StoreOperation& operation);
  void Commit(std::vector<StoreOperationPtr>& batch);
  void FailAll(std::vector<StoreOperationPtr>& batch, const runtime::Error& error);
  void FailOverdue(const runtime::Error& error);
  void CheckpointIfLong();
  bool Reopen();
  bool Pause(std::chrono::milliseconds time);  // false: stopping

  const Options options_;
  std::unique_ptr<SqliteConnection> connection_;  // writer thread only, as all below
  WriteTurn turn_;
  size_t last_batch_ = 1;
  std::unique_ptr<CommitMeters> meters_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<StoreOperationPtr> queue_;
  bool stopping_ = false;
  Stats stats_;

  std::thread thread_;
};

}  // namespace business
