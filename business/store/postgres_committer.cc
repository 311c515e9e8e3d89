#include "business/store/postgres_committer.h"

#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <set>
#include <unordered_set>
#include <utility>

#include "business/store/commit_meters.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"

namespace business {

using runtime::Error;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kAttempts = 10;
constexpr int64_t kForgetWritersAfter = 7 * 86400;  // seconds

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

int64_t Now() { return static_cast<int64_t>(std::time(nullptr)); }

std::vector<std::optional<std::string_view>> OwnersOf(std::span<StoreOperation* const> operations) {
  std::set<std::string_view> owners;
  for (const StoreOperation* operation : operations) {
    owners.insert(operation->owners.begin(), operation->owners.end());
  }
  return {owners.begin(), owners.end()};
}

std::vector<StoreOperation*> PointersTo(const std::vector<StoreOperationPtr>& batch) {
  std::vector<StoreOperation*> operations;
  for (const auto& operation : batch) operations.push_back(operation.get());
  return operations;
}

}  // namespace

PostgresCommitter::PostgresCommitter(Options options,
                                     std::unique_ptr<PostgresConnection> connection)
    : options_(std::move(options)),
      name_(options_.connection.name),
      connection_(std::move(connection)),
      meters_(std::make_unique<CommitMeters>()) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "store-write");
    Run();
  });
}

PostgresCommitter::~PostgresCommitter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void PostgresCommitter::Submit(StoreOperationPtr operation) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < options_.queue && !stopping_) {
      queue_.push_back(std::move(operation));
      meters_->queue.Set(static_cast<int64_t>(queue_.size()));
      if (queue_.size() == 1 || queue_.size() == options_.batch) wake_.notify_one();
      return;
    }
    ++stats_.refused;
  }
  meters_->refused.Add();
  operation->Fail(Error::Unavailable("too many writes are waiting"));
  operation->Answer();
}

PostgresCommitter::Stats PostgresCommitter::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

void PostgresCommitter::Run() {
  while (WaitForWork()) {
    if (!Connected() || !EnsureWriterRow()) {
      FailOverdue(connection_ != nullptr ? connection_->LastError()
                                         : Error::Unavailable("the store is not reached"));
      PauseAfterFailure();
      continue;
    }
    CommitBatch(Take());
  }
  if (connection_ != nullptr && !connection_->lost() && writer_ != 0) {
    SqlQuery(&connection_->Statement("DELETE FROM store_writer WHERE id = ?1"))
        .Bind(1, writer_)
        .Run();
  }
}

// As GroupCommitter: a lone write commits at once; where the newest batch held several, as many are
// likely to come again.
bool PostgresCommitter::WaitForWork() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (queue_.empty()) return false;
  if (last_batch_ > 1 && options_.delay.count() > 0) {
    wake_.wait_until(lock, queue_.front()->asked + options_.delay,
                     [this] { return stopping_ || queue_.size() >= options_.batch; });
  }
  return true;
}

PostgresCommitter::Batch PostgresCommitter::Take() {
  Batch batch;
  std::lock_guard lock(mutex_);
  const size_t count = std::min<size_t>(queue_.size(), options_.batch);
  batch.reserve(count);
  std::move(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count),
            std::back_inserter(batch));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
  meters_->queue.Set(static_cast<int64_t>(queue_.size()));
  return batch;
}

void PostgresCommitter::CommitBatch(Batch batch) {
  const auto began = Clock::now();
  std::vector<StoreOperation*> operations = PointersTo(batch);
  ++batch_;
  if (stuck_) {
    operations = SetStuckAside(operations);
    if (operations.empty()) {
      const Error error = Error::Unavailable("the account is locked by another program");
      PutBack(std::move(batch), error, false);
      Pause(std::chrono::milliseconds(20));
      return;
    }
  }
  Ran ran = RunBatch(operations, false);
  // Who is to blame is known only where each runs by itself.
  if (ran == Ran::kFailed) ran = RunBatch(operations, true);
  if (ran == Ran::kNotKnown) ran = Resolve();

  // Those set aside keep their place in the queue.
  Batch aside;
  if (operations.size() < batch.size()) {
    const std::unordered_set<StoreOperation*> ran_now(operations.begin(), operations.end());
    const auto rest = std::stable_partition(
        batch.begin(), batch.end(), [&](const auto& one) { return ran_now.contains(one.get()); });
    std::move(rest, batch.end(), std::back_inserter(aside));
    batch.erase(rest, batch.end());
  }
  const Error error = connection_ != nullptr ? connection_->LastError()
                                             : Error::Unavailable("the store is not reached");
  switch (ran) {
    case Ran::kCommitted:
      failures_ = 0;
      meters_->commit.Observe(Seconds(Clock::now() - began));
      Answer(std::move(batch));
      break;
    case Ran::kUndone:
      if (connection_ != nullptr && connection_->LastWasFull()) {
        FailAll(std::move(batch), error);
        break;
      }
      stuck_ = stuck_ || (connection_ != nullptr && connection_->LastWasLock());
      meters_->failed.Add();
      PutBack(std::move(batch), error, true);
      break;
    case Ran::kFailed:
      FailAll(std::move(batch), error);
      break;
    case Ran::kNotKnown:
      FailAll(std::move(batch), Error::Unknown(error.message));
      break;
  }
  if (!aside.empty()) {
    PutBack(std::move(aside), Error::Unavailable("the account is locked by another program"),
            false);
  }
  if (ran == Ran::kUndone) PauseAfterFailure();
}

PostgresCommitter::Ran PostgresCommitter::RunBatch(std::span<StoreOperation* const> operations,
                                                   bool one_by_one) {
  const bool done =
      Begin(operations) && (one_by_one ? RunOneByOne(operations) : RunTogether(operations));
  if (!done) {
    const bool passes = connection_->transient();
    if (!connection_->lost()) {
      const Error error = connection_->LastError();
      connection_->Send("ROLLBACK");
      if (!connection_->Round() && !connection_->lost()) {
        runtime::LogError("store_rollback_failed", error.message);
      }
    }
    return passes ? Ran::kUndone : Ran::kFailed;
  }
  return Commit();
}

// The row of store_writer is changed before anything else is: whoever finds it unlocked and
// unchanged knows that this transaction can commit no more.
bool PostgresCommitter::Begin(std::span<StoreOperation* const> operations) {
  connection_->ForgetError();
  connection_->Send("BEGIN");
  SqlQuery(&connection_->Statement("UPDATE store_writer SET batch = ?2, stamp = ?3 WHERE id = ?1"))
      .Bind(1, writer_)
      .Bind(2, batch_)
      .Bind(3, Now())
      .Send();
  return LockOwners(operations);
}

bool PostgresCommitter::LockOwners(std::span<StoreOperation* const> operations) {
  const auto owners = OwnersOf(operations);
  if (owners.empty()) return !connection_->lost();
  PostgresStatement& lock = connection_->Statement(
      "SELECT id FROM owner WHERE jid = ANY (?1) ORDER BY id FOR NO KEY UPDATE");
  lock.BindTexts(1, owners);
  return SqlQuery(&lock).Send();
}

bool PostgresCommitter::RunTogether(std::span<StoreOperation* const> operations) {
  while (!operations.empty()) {
    StoreOperation& first = *operations.front();
    size_t count = 1;
    while (first.kind() != nullptr && count < operations.size() &&
           operations[count]->kind() == first.kind()) {
      ++count;
    }
    const bool ok = first.kind() != nullptr
                        ? first.RunTogether(*connection_, operations.first(count))
                        : first.Run(*connection_);
    if (!ok || connection_->lost()) return false;
    operations = operations.subspan(count);
  }
  return connection_->Round();
}

bool PostgresCommitter::RunOneByOne(std::span<StoreOperation* const> operations) {
  for (StoreOperation* operation : operations) {
    connection_->Send("SAVEPOINT operation");
    const bool ok = operation->Run(*connection_);
    if (ok && connection_->Round()) {
      connection_->Send("RELEASE operation");
      continue;
    }
    if (connection_->transient()) return false;
    operation->Fail(connection_->LastError());
    connection_->Send("ROLLBACK TO operation");
    if (!connection_->Round()) return false;
  }
  return connection_->Round();
}

PostgresCommitter::Ran PostgresCommitter::Commit() {
  runtime::KillPoint("store_before_commit");
  // A time limit would end the wait for a synchronous replica, and call that committed.
  connection_->Send("SET LOCAL statement_timeout = 0");
  connection_->Send("COMMIT");
  if (connection_->Round()) {
    runtime::KillPoint("store_after_commit");
    return Ran::kCommitted;
  }
  if (connection_->lost()) return Ran::kNotKnown;
  if (connection_->InTransaction()) {
    connection_->Send("ROLLBACK");
    connection_->Round();
  }
  return connection_->transient() ? Ran::kUndone : Ran::kFailed;
}

// What became of the newest batch. While another connection's transaction may still commit it, it
// holds the row of store_writer.
PostgresCommitter::Ran PostgresCommitter::Resolve() {
  runtime::LogWarn("store_commit_unanswered", connection_->LastError().message);
  const auto until = Clock::now() + options_.read_back;
  std::chrono::milliseconds pause{20};
  while (Clock::now() < until) {
    if (Connected()) {
      SqlQuery row = SqlQuery(&connection_->Statement(
                                  "SELECT batch FROM store_writer WHERE id = ?1 FOR UPDATE"))
                         .Bind(1, writer_);
      if (row.Step()) {
        std::lock_guard lock(mutex_);
        ++stats_.read_back;
        return row.Int(0) >= batch_ ? Ran::kCommitted : Ran::kUndone;
      }
      if (row.ok()) break;  // the row is gone: nobody can tell any more
    }
    Pause(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(500));
  }
  std::lock_guard lock(mutex_);
  ++stats_.unknown;
  return Ran::kNotKnown;
}

// While somebody else keeps an owner's row locked, the others' operations go on.
std::vector<StoreOperation*> PostgresCommitter::SetStuckAside(
    std::span<StoreOperation* const> operations) {
  std::unordered_set<std::string> there, free;
  const auto owners = OwnersOf(operations);
  PostgresStatement& lock = connection_->Statement(
      "SELECT jid FROM owner WHERE jid = ANY (?1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED");
  PostgresStatement& all = connection_->Statement("SELECT jid FROM owner WHERE jid = ANY (?1)");
  lock.BindTexts(1, owners);
  all.BindTexts(1, owners);
  SqlQuery locked(&lock), known(&all);
  locked.Send();
  known.Send();
  while (locked.Step()) free.insert(locked.Text(0));
  while (known.Step()) there.insert(known.Text(0));
  if (!locked.ok() || !known.ok()) return {operations.begin(), operations.end()};
  std::unordered_set<std::string> stuck;
  for (const std::string& owner : there) {
    if (!free.contains(owner)) stuck.insert(owner);
  }
  stuck_ = !stuck.empty();
  std::vector<StoreOperation*> runnable;
  for (StoreOperation* operation : operations) {
    const auto is_stuck = [&](const std::string& owner) { return stuck.contains(owner); };
    if (std::none_of(operation->owners.begin(), operation->owners.end(), is_stuck)) {
      runnable.push_back(operation);
      continue;
    }
    // What comes behind it for any of its owners has to wait, too.
    stuck.insert(operation->owners.begin(), operation->owners.end());
  }
  return runnable;
}

void PostgresCommitter::Answer(Batch batch) {
  const auto now = Clock::now();
  meters_->batch.Observe(static_cast<double>(batch.size()));
  for (const auto& operation : batch) meters_->wait.Observe(Seconds(now - operation->asked));
  {
    std::lock_guard lock(mutex_);
    ++stats_.commits;
    stats_.operations += batch.size();
  }
  last_batch_ = batch.size();
  AnswerOnLoops(std::move(batch));
}

// To the front of the queue, in order; who has waited or tried enough is refused.
void PostgresCommitter::PutBack(Batch batch, const Error& error, bool counts) {
  const auto limit = Clock::now() - options_.patience;
  const auto kept = std::stable_partition(batch.begin(), batch.end(), [&](const auto& one) {
    if (counts) ++one->attempts;
    return one->attempts > kAttempts || one->asked < limit;
  });
  Batch again(std::make_move_iterator(kept), std::make_move_iterator(batch.end()));
  batch.erase(kept, batch.end());
  if (counts) runtime::LogWarn("store_batch_undone", error.message, {{"again", again.size()}});
  {
    std::lock_guard lock(mutex_);
    if (counts) ++stats_.repeated;
    queue_.insert(queue_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
  }
  if (!batch.empty()) FailAll(std::move(batch), Error::Unavailable(error.message));
}

void PostgresCommitter::FailAll(Batch batch, const Error& error) {
  for (const auto& operation : batch) operation->Fail(error);
  meters_->failed.Add();
  runtime::LogError("store_commit_failed", error.message,
                    {{"operations", batch.size()}, {"outcome_unknown", error.unknown() ? 1 : 0}});
  {
    std::lock_guard lock(mutex_);
    ++stats_.failed_commits;
  }
  AnswerOnLoops(std::move(batch));
}

// While there is no connection. At the end all of it.
void PostgresCommitter::FailOverdue(const Error& error) {
  Batch overdue;
  {
    std::lock_guard lock(mutex_);
    const auto limit = Clock::now() - options_.patience;
    while (!queue_.empty() && (stopping_ || queue_.front()->asked < limit)) {
      overdue.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    meters_->queue.Set(static_cast<int64_t>(queue_.size()));
  }
  if (!overdue.empty()) FailAll(std::move(overdue), Error::Unavailable(error.message));
}

bool PostgresCommitter::Connected() {
  if (connection_ != nullptr && !connection_->lost()) return true;
  connection_.reset();
  auto opened = PostgresConnection::Open(options_.connection);
  if (!opened) {
    runtime::LogError("store_not_reached", opened.error().message);
    options_.reach->Missed(opened.error().message);
    return false;
  }
  options_.reach->Reached();
  connection_ = std::move(*opened);
  {
    std::lock_guard lock(mutex_);
    ++stats_.reconnects;
  }
  runtime::LogWarn("store_reconnected", "connected to PostgreSQL again");
  // A connection of this writer that its server has not noticed to be dead holds its locks.
  return SqlQuery(
             &connection_->Statement("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                                     "application_name = ?1 AND usename = current_user AND "
                                     "datname = current_database() AND pid <> pg_backend_pid()"))
      .Bind(1, name_)
      .Run();
}

bool PostgresCommitter::EnsureWriterRow() {
  if (writer_ != 0) return true;
  SqlQuery(&connection_->Statement("DELETE FROM store_writer WHERE stamp < ?1"))
      .Bind(1, Now() - kForgetWritersAfter)
      .Send();
  SqlQuery row(&connection_->Statement(
      "INSERT INTO store_writer (batch, stamp) VALUES (0, ?1) RETURNING id"));
  SqlQuery made = std::move(row).Bind(1, Now());
  if (!made.Step()) return false;
  writer_ = made.Int(0);
  return true;
}

// Longer each time, and never for all servers at the same moment.
void PostgresCommitter::PauseAfterFailure() {
  failures_ = std::min(failures_ + 1, 8);
  const int64_t most = std::min<int64_t>(2000, int64_t{10} << failures_);
  Pause(std::chrono::milliseconds(most / 2 + static_cast<int64_t>(jitter_()) % (most / 2 + 1)));
}

bool PostgresCommitter::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace business
