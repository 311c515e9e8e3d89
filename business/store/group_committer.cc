#include "business/store/group_committer.h"

#include <pthread.h>

#include <utility>

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
      queue_(options_.queue),
      connection_(std::move(connection)),
      turn_(options_.path + "-turn") {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "store-write");
    Run();
  });
}

GroupCommitter::~GroupCommitter() {
  queue_.Stop();
  thread_.join();
}

GroupCommitter::Stats GroupCommitter::stats() const {
  Stats stats{queue_.counts()};
  stats.reopened = reopened_;
  stats.turn_wait_us = turn_wait_us_;
  return stats;
}

void GroupCommitter::Run() {
  while (queue_.Wait()) {
    if (!Begin()) continue;
    const auto began = Clock::now();
    WriteQueue::Batch batch = queue_.Take();
    RunBatch(batch);
    if (connection_->InTransaction()) Commit(batch);
    turn_.Give();
    queue_.meters().commit.Observe(Seconds(Clock::now() - began));
    queue_.Answer(std::move(batch));
    CheckpointIfLong();
  }
}

bool GroupCommitter::Begin() {
  if ((connection_ == nullptr || connection_->lost()) && !Reopen()) {
    queue_.FailOverdue(Error::Unavailable("the store cannot be opened"));
    queue_.Pause(kReopenPause);
    return false;
  }
  const auto asked = Clock::now();
  if (!turn_.Take(std::chrono::milliseconds(1000))) {
    queue_.FailOverdue(
        Error::Unavailable("the store's turn to write did not come: " + turn_.error()));
    return false;
  }
  const auto waited = Clock::now() - asked;
  queue_.meters().turn.Observe(Seconds(waited));
  turn_wait_us_ +=
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(waited).count());
  if (connection_->Query("BEGIN IMMEDIATE").Run()) return true;
  const Error error = connection_->LastError();
  turn_.Give();
  runtime::LogWarn("store_begin_failed", error.message);
  queue_.FailOverdue(Error::Unavailable(error.message));
  queue_.Pause(std::chrono::milliseconds(20));
  return false;
}

void GroupCommitter::RunBatch(const WriteQueue::Batch& batch) {
  for (const StoreOperationPtr& operation : batch) {
    RunOne(*operation);
    if (!connection_->InTransaction()) {
      // SQLite rolled everything back by itself: disk full, I/O error, out of memory.
      const Error error = connection_->LastError();
      queue_.Fail(batch, Error::Unavailable(error.message));
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

void GroupCommitter::Commit(const WriteQueue::Batch& batch) {
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
    queue_.Fail(batch, error);
    return;
  }
  queue_.Fail(batch, Error::Unknown(error.message));
  connection_->Abandon();
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
  ++reopened_;
  return true;
}

}  // namespace business
