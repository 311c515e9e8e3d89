// What waits for a store's writer thread, whatever the engine: bounded, in order, taken in batches.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "business/store/store_operation.h"
#include "lib/runtime/result.h"

namespace business {

struct CommitMeters;

class WriteQueue {
 public:
  using Batch = std::vector<StoreOperationPtr>;
  struct Options {
    std::chrono::milliseconds delay{2};
    uint32_t batch = 512;
    uint32_t most = 20000;                      // that wait; more are refused
    std::chrono::milliseconds patience{30000};  // until an operation's commit begins
  };
  struct Counts {
    uint64_t commits = 0, operations = 0, refused = 0, failed_commits = 0;
  };

  explicit WriteQueue(Options options);
  ~WriteQueue();

  // --- any thread

  // Answered with kUnavailable at once if too many wait, or it has been stopped.
  void Submit(StoreOperationPtr operation);
  void Stop();
  Counts counts() const;

  // --- the writer's thread

  // Until there is work. A lone write goes at once; where the newest batch held several, as many
  // are likely to come again, and waiting a little spares syncs. False: stopped, and nothing is
  // left.
  bool Wait();
  Batch Take();  // at most a batch
  // To the front again, in order.
  void PutBack(Batch batch);
  // Its operations were committed, or have failed each by itself.
  void Answer(Batch batch);
  // Counts and logs that `batch` was not committed; it is still to be answered.
  void Fail(const Batch& batch, const runtime::Error& error);
  bool IsOverdue(const StoreOperation& operation) const;
  // Answers what waited too long; once stopped, all of it.
  void FailOverdue(const runtime::Error& error);
  bool Pause(std::chrono::milliseconds time);  // false: stopping

  CommitMeters& meters() { return *meters_; }

 private:
  const Options options_;
  const std::unique_ptr<CommitMeters> meters_;
  size_t last_batch_ = 1;  // writer's thread only

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<StoreOperationPtr> queue_;
  bool stopping_ = false;
  Counts counts_;
};

}  // namespace business
