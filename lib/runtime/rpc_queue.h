// A gRPC completion queue, the thread that drains it, and the way its completions reach a loop.
// Internal to rpc_*.cc: includes gRPC.
#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"

namespace runtime::internal {

// One operation that gRPC may have in flight: the tag in the queue. `done` runs on the loop, or, if
// `on_queue_thread`, at once on the queue's own thread. `muted`: the loop is gone or going; no
// callback to the outside and no new operation may be made, only memory given back.
struct RpcOp {
  using Done = void (*)(RpcOp* op, bool ok, bool muted);
  Done done = nullptr;
  void* owner = nullptr;
  bool on_queue_thread = false;
  bool ok = false;
  RpcOp* next = nullptr;
};

// Completions are pushed onto a lock-free list; only the push onto an empty list wakes the loop,
// which then takes everything at once: one wake-up a batch, however busy the queue.
class RpcQueue : public std::enable_shared_from_this<RpcQueue> {
 public:
  RpcQueue(EventLoop* loop, std::unique_ptr<grpc::CompletionQueue> queue);
  ~RpcQueue();

  void StartThread(const std::string& name);
  // Starts an operation by `start(grpc::CompletionQueue*)`; false: shut down, nothing was started.
  // The lock is per frame, not per item, and nobody else holds it but Shutdown.
  template <typename Start>
  bool StartOp(Start&& start) {
    std::lock_guard lock(gate_);
    if (closed_) return false;
    start(queue_.get());
    return true;
  }
  // The same, on the loop's thread, for an operation that is mostly done when `start` returns, as a
  // write is that the socket takes at once: then no thread is woken, and its `done` runs at the end
  // of the turn.
  template <typename Start>
  bool StartQuickOp(Start&& start) {
    std::lock_guard lock(gate_);
    if (closed_) return false;
    BeginQuickOp();
    start(queue_.get());
    EndQuickOp();
    return true;
  }
  // No new operations; what is in flight comes back (whoever cancelled it), the thread ends. What
  // came back last is handed to the loop, or given back muted if the loop runs no more.
  void Shutdown();
  // Handles muted, in this thread, what was not yet handed over. On the loop's thread, or without
  // a running loop.
  void DrainMuted() { Drain(true); }

  grpc::CompletionQueue* get() { return queue_.get(); }
  EventLoop* loop() const { return loop_; }
  RpcStats stats() const;

 private:
  struct QuickEnd final : TurnEnd {
    explicit QuickEnd(RpcQueue* q)
        : TurnEnd([](TurnEnd* end) { static_cast<QuickEnd*>(end)->queue->DrainQuick(); }),
          queue(q) {}
    RpcQueue* const queue;
  };

  void Run();
  void HandOver(RpcOp* op);
  void BeginQuickOp();
  void EndQuickOp();
  void DrainQuick();
  void Drain(bool muted);

  EventLoop* const loop_;
  std::unique_ptr<grpc::CompletionQueue> queue_;
  std::thread thread_;
  std::mutex gate_;
  bool closed_ = false;
  std::atomic<RpcOp*> done_list_{nullptr};
  std::vector<RpcOp*> quick_;  // done within the call that started them; the loop's
  QuickEnd quick_end_{this};
  std::atomic<uint64_t> completions_{0}, wakeups_{0};
};

}  // namespace runtime::internal
