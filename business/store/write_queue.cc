#include "business/store/write_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "business/store/commit_meters.h"
#include "lib/runtime/log.h"

namespace business {

using runtime::Error;
using Clock = std::chrono::steady_clock;

WriteQueue::WriteQueue(Options options)
    : options_(options), meters_(std::make_unique<CommitMeters>()) {}

WriteQueue::~WriteQueue() = default;

void WriteQueue::Submit(StoreOperationPtr operation) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < options_.most && !stopping_) {
      queue_.push_back(std::move(operation));
      meters_->queue.Set(static_cast<int64_t>(queue_.size()));
      // The writer sleeps only while the queue is empty, or until a batch is full.
      if (queue_.size() == 1 || queue_.size() == options_.batch) wake_.notify_one();
      return;
    }
    ++counts_.refused;
  }
  meters_->refused.Add();
  operation->Fail(Error::Unavailable("too many writes are waiting"));
  operation->Answer();
}

void WriteQueue::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

WriteQueue::Counts WriteQueue::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

bool WriteQueue::Wait() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (queue_.empty()) return false;
  if (last_batch_ > 1 && options_.delay.count() > 0) {
    wake_.wait_until(lock, queue_.front()->asked + options_.delay,
                     [this] { return stopping_ || queue_.size() >= options_.batch; });
  }
  return true;
}

WriteQueue::Batch WriteQueue::Take() {
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

void WriteQueue::PutBack(Batch batch) {
  std::lock_guard lock(mutex_);
  queue_.insert(queue_.begin(), std::make_move_iterator(batch.begin()),
                std::make_move_iterator(batch.end()));
  meters_->queue.Set(static_cast<int64_t>(queue_.size()));
}

void WriteQueue::Answer(Batch batch) {
  const auto now = Clock::now();
  meters_->batch.Observe(static_cast<double>(batch.size()));
  for (const auto& operation : batch) {
    meters_->wait.Observe(std::chrono::duration<double>(now - operation->asked).count());
  }
  {
    std::lock_guard lock(mutex_);
    ++counts_.commits;
    counts_.operations += batch.size();
  }
  last_batch_ = batch.size();
  AnswerOnLoops(std::move(batch));
}

void WriteQueue::Fail(const Batch& batch, const Error& error) {
  for (const auto& operation : batch) operation->Fail(error);
  meters_->failed.Add();
  runtime::LogError("store_commit_failed", error.message,
                    {{"operations", batch.size()}, {"outcome_unknown", error.unknown() ? 1 : 0}});
  std::lock_guard lock(mutex_);
  ++counts_.failed_commits;
}

bool WriteQueue::IsOverdue(const StoreOperation& operation) const {
  return operation.asked < Clock::now() - options_.patience;
}

void WriteQueue::FailOverdue(const Error& error) {
  Batch overdue;
  {
    std::lock_guard lock(mutex_);
    while (!queue_.empty() && (stopping_ || IsOverdue(*queue_.front()))) {
      overdue.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    meters_->queue.Set(static_cast<int64_t>(queue_.size()));
  }
  for (const auto& operation : overdue) operation->Fail(error);
  AnswerOnLoops(std::move(overdue));
}

bool WriteQueue::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace business
