#include "lib/runtime/rpc_queue.h"

#include <grpc/grpc.h>
#include <grpc/support/time.h>
#include <pthread.h>

#include <utility>

#include "lib/runtime/check.h"
#include "lib/runtime/rpc_polling.h"

namespace runtime::internal {

RpcQueue::RpcQueue(EventLoop* loop, std::unique_ptr<grpc::CompletionQueue> queue)
    : loop_(loop), queue_(std::move(queue)) {}

RpcQueue::~RpcQueue() {
  Shutdown();
  Drain(true);
}

void RpcQueue::Begin(std::string name) {
  thread_name_ = name.substr(0, 15);
  begun_ = true;
  RpcPolling::Instance().Add(shared_from_this());
}

void RpcQueue::BePolled(std::shared_ptr<RpcLoopPoller> poller) {
  poller_ = std::move(poller);
  polled_.store(true);
}

void RpcQueue::TakeThread() {
  polled_.store(false);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), thread_name_.c_str());
    Run();
  });
}

void RpcQueue::Started(const RpcOp* op) {
  if (!op->resting) busy_.fetch_add(1, std::memory_order_relaxed);
}

void RpcQueue::Ended(const RpcOp* op) {
  completions_.fetch_add(1, std::memory_order_relaxed);
  if (!op->resting) busy_.fetch_sub(1, std::memory_order_relaxed);
}

void RpcQueue::Stir() {
  if (!polled_.load(std::memory_order_relaxed)) return;
  loop_->InLoop() ? poller_->Stir() : poller_->StirFromOutside();
}

void RpcQueue::ExpectSoon() {
  if (polled_.load(std::memory_order_relaxed)) poller_->ExpectSoon();
}

void RpcQueue::Run() {
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) {
    auto* op = static_cast<RpcOp*>(tag);
    Ended(op);
    if (op->on_queue_thread) {
      op->done(op, ok, false);
    } else {
      op->ok = ok;
      HandOver(op);
    }
  }
}

bool RpcQueue::DrainNext() {
  void* tag;
  bool ok;
  const gpr_timespec now_at_the_latest = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  if (queue_->AsyncNext(&tag, &ok, now_at_the_latest) != grpc::CompletionQueue::GOT_EVENT) {
    return false;
  }
  auto* op = static_cast<RpcOp*>(tag);
  Ended(op);
  op->done(op, ok, false);
  return true;
}

namespace {
// What is posted to the loop. A loop that stops without running it destroys it, and then the
// operations are given back all the same.
class DrainOnLoop {
 public:
  explicit DrainOnLoop(std::shared_ptr<RpcQueue> queue) : queue_(std::move(queue)) {}
  DrainOnLoop(DrainOnLoop&&) noexcept = default;
  ~DrainOnLoop() {
    if (queue_) queue_->DrainMuted();
  }
  std::shared_ptr<RpcQueue> Take() { return std::move(queue_); }

 private:
  std::shared_ptr<RpcQueue> queue_;
};
}  // namespace

void RpcQueue::HandOver(RpcOp* op) {
  RpcOp* head = done_list_.load(std::memory_order_relaxed);
  do {
    op->next = head;
  } while (!done_list_.compare_exchange_weak(head, op, std::memory_order_release,
                                             std::memory_order_relaxed));
  if (head != nullptr) return;  // the loop has been woken and has not taken the list yet
  wakeups_.fetch_add(1, std::memory_order_relaxed);
  loop_->Post([token = DrainOnLoop(shared_from_this())]() mutable {
    std::shared_ptr<RpcQueue> queue = token.Take();
    queue->Drain(false);
  });
}

// gRPC keeps the first completion that a thread makes from the thread's queue until it is asked for
// it (experimental, since 2017; what CompletionQueue::DoThenAsyncNext is made of).
void RpcQueue::BeginQuickOp() { grpc_completion_queue_thread_local_cache_init(queue_->cq()); }

// What was done, mostly the operation that was started.
RpcOp* RpcQueue::EndQuickOp() {
  void* tag;
  int success;
  if (grpc_completion_queue_thread_local_cache_flush(queue_->cq(), &tag, &success) == 0) {
    return nullptr;
  }
  bool ok = success == 1;
  if (!static_cast<grpc::internal::CompletionQueueTag*>(tag)->FinalizeResult(&tag, &ok)) {
    return nullptr;
  }
  auto* op = static_cast<RpcOp*>(tag);
  Ended(op);
  op->ok = ok;
  quick_.push_back(op);
  loop_->ScheduleTurnEnd(&quick_end_);
  return op;
}

void RpcQueue::DrainQuick() {
  const auto hold = shared_from_this();
  for (RpcOp* op : std::exchange(quick_, {})) op->done(op, op->ok, false);
}

void RpcQueue::Drain(bool muted) {
  RpcOp* newest = done_list_.exchange(nullptr, std::memory_order_acquire);
  RpcOp* oldest = nullptr;
  while (newest != nullptr) {
    RpcOp* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    RpcOp* next = oldest->next;  // `done` may free the operation or start it again
    oldest->done(oldest, oldest->ok, muted);
    oldest = next;
  }
}

void RpcQueue::Shutdown() {
  {
    std::lock_guard lock(gate_);
    if (closed_) return;
    closed_ = true;
  }
  if (begun_) RpcPolling::Instance().Remove(this);  // from here on nobody gives it a thread
  queue_->Shutdown();
  if (thread_.joinable()) {
    CHECK(thread_.get_id() != std::this_thread::get_id());
    thread_.join();
    return;
  }
  Run();
  // What this thread polled meanwhile may have been for others.
  if (polled_.load()) poller_->StirFromOutside();
}

RpcStats RpcQueue::stats() const {
  return {completions_.load(std::memory_order_relaxed), wakeups_.load(std::memory_order_relaxed)};
}

}  // namespace runtime::internal
