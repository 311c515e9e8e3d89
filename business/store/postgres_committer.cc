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
      queue_(options_.queue),
      name_(options_.connection.name),
      connection_(std::move(connection)) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "store-write");
    Run();
  });
}

PostgresCommitter::~PostgresCommitter() {
  queue_.Stop();
  thread_.join();
}

PostgresCommitter::Stats PostgresCommitter::stats() const {
  Stats stats{queue_.counts()};
  stats.repeated = repeated_;
  stats.read_back = read_back_;
  stats.unknown = unknown_;
  return stats;
}

void PostgresCommitter::Run() {
  while (queue_.Wait()) {
    if (!Connected() || !EnsureWriterRow()) {
      queue_.FailOverdue(Error::Unavailable(
          connection_ != nullptr ? connection_->LastError().message : "the store is not reached"));
      PauseAfterFailure();
      continue;
    }
    CommitBatch(queue_.Take());
  }
  if (connection_ != nullptr && !connection_->lost() && writer_ != 0) {
    SqlQuery(&connection_->Statement("DELETE FROM store_writer WHERE id = ?1"))
        .Bind(1, writer_)
        .Run();
  }
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
      queue_.Pause(std::chrono::milliseconds(20));
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
      queue_.meters().commit.Observe(Seconds(Clock::now() - began));
      queue_.Answer(std::move(batch));
      break;
    case Ran::kUndone:
      if (connection_ != nullptr && connection_->LastWasFull()) {
        FailAll(std::move(batch), error);
        break;
      }
      stuck_ = stuck_ || (connection_ != nullptr && connection_->LastWasLock());
      queue_.meters().failed.Add();
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
        ++read_back_;
        return row.Int(0) >= batch_ ? Ran::kCommitted : Ran::kUndone;
      }
      if (row.ok()) break;  // the row is gone: nobody can tell any more
    }
    queue_.Pause(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(500));
  }
  ++unknown_;
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

// To the front of the queue, in order; who has waited or tried enough is refused.
void PostgresCommitter::PutBack(Batch batch, const Error& error, bool counts) {
  const auto kept = std::stable_partition(batch.begin(), batch.end(), [&](const auto& one) {
    if (counts) ++one->attempts;
    return one->attempts > kAttempts || queue_.IsOverdue(*one);
  });
  Batch again(std::make_move_iterator(kept), std::make_move_iterator(batch.end()));
  batch.erase(kept, batch.end());
  if (counts) {
    ++repeated_;
    runtime::LogWarn("store_batch_undone", error.message, {{"again", again.size()}});
  }
  queue_.PutBack(std::move(again));
  if (!batch.empty()) FailAll(std::move(batch), Error::Unavailable(error.message));
}

void PostgresCommitter::FailAll(Batch batch, const Error& error) {
  queue_.Fail(batch, error);
  AnswerOnLoops(std::move(batch));
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
  queue_.Pause(
      std::chrono::milliseconds(most / 2 + static_cast<int64_t>(jitter_()) % (most / 2 + 1)));
}

}  // namespace business
