#include "business/store/store_reader.h"

#include <pthread.h>

#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"

namespace business {

using runtime::Error;

namespace {

// No reader may keep the others waiting: what is asked for by people takes milliseconds
// (tests/attacks, row 39).
constexpr std::chrono::milliseconds kReadBudget{1000};

}  // namespace

StoreReader::StoreReader(std::string path, uint32_t queue,
                         std::unique_ptr<SqliteConnection> connection)
    : path_(std::move(path)), limit_(queue), connection_(std::move(connection)) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "store-read");
    Run();
  });
}

StoreReader::~StoreReader() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void StoreReader::Submit(StoreOperationPtr operation) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < limit_ && !stopping_) {
      queue_.push_back(std::move(operation));
      if (queue_.size() == 1) wake_.notify_one();
      return;
    }
  }
  operation->Fail(Error::Unavailable("too many reads are waiting"));
  operation->Answer();
}

void StoreReader::Run() {
  while (true) {
    std::vector<StoreOperationPtr> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    RunBatch(batch);
    AnswerOnLoops(std::move(batch));
  }
}

void StoreReader::RunBatch(std::vector<StoreOperationPtr>& batch) {
  static runtime::Histogram& wait = runtime::Metrics::Get().GetHistogram(
      "xylem_store_read_seconds", "a read from its submission to its answer",
      runtime::LatencyBounds());
  for (const StoreOperationPtr& operation : batch) {
    if (Usable()) {
      connection_->SetBudget(kReadBudget);
      operation->Run(*connection_);
    } else {
      operation->Fail(Error::Unavailable("the store cannot be read"));
    }
    wait.Observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - operation->asked).count());
  }
  if (connection_ == nullptr) return;
  connection_->SetBudget({});
  if (connection_->InTransaction()) connection_->Query("COMMIT").Run();
}

// Has a connection in a transaction: what one operation reads in several statements is of one
// moment.
bool StoreReader::Usable() {
  if (!Opened()) return false;
  return connection_->InTransaction() || connection_->Query("BEGIN").Run();
}

bool StoreReader::Opened() {
  if (connection_ != nullptr && !connection_->lost()) return true;
  if (connection_ != nullptr) connection_->Abandon();
  connection_.reset();
  auto opened = SqliteConnection::Open({.path = path_, .read_only = true});
  if (!opened) {
    runtime::LogError("store_reopen_failed", opened.error().message);
    return false;
  }
  connection_ = std::move(*opened);
  return true;
}

}  // namespace business
