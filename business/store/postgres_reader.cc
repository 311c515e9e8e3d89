#include "business/store/postgres_reader.h"

#include <pthread.h>

#include <utility>

#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"

namespace business {

using runtime::Error;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kReconnectPause{500};

}  // namespace

// Lives on its thread.
class PostgresReader::Worker {
 public:
  explicit Worker(PostgresReader* pool) : pool_(pool) {}

  void Run() {
    while (StoreOperationPtr operation = pool_->Take()) {
      while (operation != nullptr) {
        Read(*operation);
        std::vector<StoreOperationPtr> answered;
        answered.push_back(std::move(operation));
        AnswerOnLoops(std::move(answered));
        operation = pool_->TryTake();  // its BEGIN takes the COMMIT along
      }
      if (connection_ != nullptr) connection_->Round();
    }
  }

 private:
  void Read(StoreOperation& operation) {
    static runtime::Histogram& wait = runtime::Metrics::Get().GetHistogram(
        "xylem_store_read_seconds", "a read from its submission to its answer",
        runtime::LatencyBounds());
    // A connection that broke while nobody looked is noticed by the next who uses it.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (!Connected()) {
        operation.Fail(Error::Unavailable("the store is not reached"));
        break;
      }
      if (RunOnce(operation) || !connection_->lost()) break;
    }
    wait.Observe(std::chrono::duration<double>(Clock::now() - operation.asked).count());
  }

  bool RunOnce(StoreOperation& operation) {
    connection_->ForgetError();
    connection_->Send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const bool ok = operation.Run(*connection_);
    connection_->Send("COMMIT");  // of a failed transaction: a rollback
    return ok;
  }

  bool Connected() {
    if (connection_ != nullptr && !connection_->lost()) return true;
    connection_.reset();
    if (Clock::now() < next_try_) return false;
    auto opened = PostgresConnection::Open(pool_->options_);
    if (!opened) {
      next_try_ = Clock::now() + kReconnectPause;
      runtime::LogError("store_not_reached", opened.error().message);
      pool_->reach_->Missed(opened.error().message);
      return false;
    }
    pool_->reach_->Reached();
    connection_ = std::move(*opened);
    return true;
  }

  PostgresReader* const pool_;
  std::unique_ptr<PostgresConnection> connection_;
  Clock::time_point next_try_{};
};

PostgresReader::PostgresReader(PostgresConnection::Options connection, uint32_t threads,
                               uint32_t queue, PostgresReach* reach)
    : options_(std::move(connection)), limit_(queue), reach_(reach) {
  for (uint32_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), "store-read");
      Worker(this).Run();
    });
  }
}

PostgresReader::~PostgresReader() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PostgresReader::Submit(StoreOperationPtr operation) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < limit_ && !stopping_) {
      queue_.push_back(std::move(operation));
      wake_.notify_one();
      return;
    }
  }
  operation->Fail(Error::Unavailable("too many reads are waiting"));
  operation->Answer();
}

StoreOperationPtr PostgresReader::Take() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (queue_.empty()) return nullptr;
  StoreOperationPtr operation = std::move(queue_.front());
  queue_.pop_front();
  return operation;
}

StoreOperationPtr PostgresReader::TryTake() {
  std::lock_guard lock(mutex_);
  if (queue_.empty()) return nullptr;
  StoreOperationPtr operation = std::move(queue_.front());
  queue_.pop_front();
  return operation;
}

}  // namespace business
