#include "business/store/group_committer.h"

#include <pthread.h>

#include <algorithm>

#include "business/store/commit_meters.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"

namespace business {

using runtime::Error;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kCheckpointPages = 2000;  // 8 MiB of log
constexpr std::chrono::milliseconds kReopenPause{200};

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

GroupCommitter::GroupCommitter(Options options, std::unique_ptr<SqliteConnection> connection)
    : options_(std::move(options)),
      connection_(std::move(connection)),
      turn_(options_.path + "-turn"),
      meters_(std::make_unique<CommitMeters>()) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "store-write");
    Run();
  });
}

GroupCommitter::~GroupCommitter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void GroupCommitter::Submit(StoreOperationPtr operation) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < options_.queue && !stopping_) {
      queue_.push_back(std::move(operation));
      meters_->queue.Set(static_cast<int64_t>(queue_.size()));
      // The writer sleeps only while the queue is empty, or until a batch is full.
      if (queue_.size() == 1 || queue_.size() == options_.batch) wake_.notify_one();
      return;
    }
    ++stats_.refused;
  }
  meters_->refused.Add();
  operation->Fail(Error::Unavailable("too many writes are waiting"));
  operation->Answer();
}

GroupCommitter::Stats GroupCommitter::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

void GroupCommitter::Run() {
  while (WaitForWork()) {
    if (!Begin()) continue;
    const auto began = Clock::now();
    std::vector<StoreOperationPtr> batch = Take();
    RunBatch(batch);
    if (connection_->InTransaction()) Commit(batch);
    turn_.Give();
    const auto now = Clock::now();
    meters_->commit.Observe(Seconds(now - began));
    meters_->batch.Observe(static_cast<double>(batch.size()));
    for (const auto& operation : batch) meters_->wait.Observe(Seconds(now - operation->asked));
    {
      std::lock_guard lock(mutex_);
      ++stats_.commits;
      stats_.operations += batch.size();
    }
    last_batch_ = batch.size();
    AnswerOnLoops(std::move(batch));
    CheckpointIfLong();
  }
}

// A lone write commits at once. Where the newest batch held several, as many are likely to come
// again: waiting a little spares syncs.
bool GroupCommitter::WaitForWork() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (queue_.empty()) return false;
  if (last_batch_ > 1 && options_.delay.count() > 0) {
    wake_.wait_until(lock, queue_.front()->asked + options_.delay,
                     [this] { return stopping_ || queue_.size() >= options_.batch; });
  }
  return true;
}

bool GroupCommitter::Begin() {
  if ((connection_ == nullptr || connection_->lost()) && !Reopen()) {
    FailOverdue(Error::Unavailable("the store cannot be opened"));
    Pause(kReopenPause);
    return false;
  }
  const auto asked = Clock::now();
  if (!turn_.Take(std::chrono::milliseconds(1000))) {
    FailOverdue(Error::Unavailable("the store's turn to write did not come: " + turn_.error()));
    return false;
  }
  const auto waited = Clock::now() - asked;
  meters_->turn.Observe(Seconds(waited));
  {
    std::lock_guard lock(mutex_);
    stats_.turn_wait_us += static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(waited).count());
  }
  if (connection_->Query("BEGIN IMMEDIATE").Run()) return true;
  const Error error = connection_->LastError();
  turn_.Give();
  runtime::LogWarn("store_begin_failed", error.message);
  FailOverdue(Error::Unavailable(error.message));
  Pause(std::chrono::milliseconds(20));
  return false;
}

std::vector<StoreOperationPtr> GroupCommitter::Take() {
  std::vector<StoreOperationPtr> batch;
  std::lock_guard lock(mutex_);
  const size_t count = std::min<size_t>(queue_.size(), options_.batch);
  batch.reserve(count);
  std::move(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count),
            std::back_inserter(batch));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
  meters_->queue.Set(static_cast<int64_t>(queue_.size()));
  return batch;
}

void GroupCommitter::RunBatch(std::vector<StoreOperationPtr>& batch) {
  for (const StoreOperationPtr& operation : batch) {
    RunOne(*operation);
    if (!connection_->InTransaction()) {
      // SQLite rolled everything back by itself: disk full, I/O error, out of memory.
      const Error error = connection_->LastError();
      FailAll(batch, Error::Unavailable(error.message));
      return;
    }
  }
}

void GroupCommitter::RunOne(StoreOperation& operation) {
  if (!connection_->Query("SAVEPOINT operation").Run()) {
    operation.Fail(connection_->LastError());
    return;
  }
  if (!operation.Run(*connection_) && connection_->InTransaction()) {
    connection_->Query("ROLLBACK TO operation").Run();
  }
  if (connection_->InTransaction() && !connection_->Query("RELEASE operation").Run()) {
    operation.Fail(connection_->LastError());
  }
}

void GroupCommitter::Commit(std::vector<StoreOperationPtr>& batch) {
  runtime::KillPoint("store_before_commit");
  if (connection_->Query("COMMIT").Run()) {
    runtime::KillPoint("store_after_commit");
    return;
  }
  const Error error = connection_->LastError();
  const bool lost = connection_->lost();
  if (connection_->InTransaction()) connection_->Query("ROLLBACK").Run();
  // A full disk tore off the frame that would have committed: certainly undone. After any other
  // failure the log may hold it whole.
  if (!lost && error.kind == runtime::ErrorKind::kUnavailable) {
    FailAll(batch, error);
    return;
  }
  FailAll(batch, Error::Unknown(error.message));
  connection_->Abandon();
}

void GroupCommitter::FailAll(std::vector<StoreOperationPtr>& batch, const Error& error) {
  for (const StoreOperationPtr& operation : batch) operation->Fail(error);
  meters_->failed.Add();
  runtime::LogError("store_commit_failed", error.message,
                    {{"operations", batch.size()}, {"outcome_unknown", error.unknown() ? 1 : 0}});
  std::lock_guard lock(mutex_);
  ++stats_.failed_commits;
}

// What waited too long, and at the end all of it.
void GroupCommitter::FailOverdue(const Error& error) {
  std::vector<StoreOperationPtr> overdue;
  {
    std::lock_guard lock(mutex_);
    const auto limit = Clock::now() - options_.patience;
    while (!queue_.empty() && (stopping_ || queue_.front()->asked < limit)) {
      overdue.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    meters_->queue.Set(static_cast<int64_t>(queue_.size()));
  }
  for (const StoreOperationPtr& operation : overdue) operation->Fail(error);
  AnswerOnLoops(std::move(overdue));
}

// Behind the answers, so that nobody waits for it; a checkpoint that fails leaves the log as it is.
void GroupCommitter::CheckpointIfLong() {
  if (connection_->lost() || connection_->WalPages() < kCheckpointPages) return;
  if (connection_->Checkpoint() < 0) {
    runtime::LogWarn("store_checkpoint_failed", connection_->LastError().message);
  }
}

bool GroupCommitter::Reopen() {
  if (connection_ != nullptr) {
    connection_->Abandon();
    connection_.reset();
  }
  auto opened = SqliteConnection::Open({.path = options_.path});
  if (!opened) {
    runtime::LogError("store_reopen_failed", opened.error().message);
    return false;
  }
  connection_ = std::move(*opened);
  runtime::LogWarn("store_reopened", "the store was opened anew after an I/O error");
  std::lock_guard lock(mutex_);
  ++stats_.reopened;
  return true;
}

bool GroupCommitter::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace business
