// A gRPC completion queue, who drains it, and the way its completions reach a loop. Internal to
// rpc_*.cc: includes gRPC.
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

class RpcLoopPoller;

// One operation that gRPC may have in flight: the tag in the queue. `done` runs on the loop, or, if
// `on_queue_thread`, at once on the thread that drains the queue. `muted`: the loop is gone or
// going; no callback to the outside and no new operation may be made, only memory given back.
struct RpcOp {
  using Done = void (*)(RpcOp* op, bool ok, bool muted);
  Done done = nullptr;
  void* owner = nullptr;
  bool on_queue_thread = false;
  bool resting = false;  // waits for the peer, as long as that takes: a read
  bool ok = false;
  RpcOp* next = nullptr;
};

// Drained by a thread of its own or by the loop itself (see RpcPolling). The thread pushes
// completions onto a lock-free list; only the push onto an empty list wakes the loop, which then
// takes everything at once: one wake-up a batch, however busy the queue.
class RpcQueue : public std::enable_shared_from_this<RpcQueue> {
 public:
  RpcQueue(EventLoop* loop, std::unique_ptr<grpc::CompletionQueue> queue);
  ~RpcQueue();

  // Operations may be started; `name` of the thread, if it gets one.
  void Begin(std::string name);
  // Starts `op` by `start(grpc::CompletionQueue*)`; false: shut down, nothing was started. The lock
  // is per frame, not per item, and nobody else holds it but Shutdown.
  template <typename Start>
  bool StartOp(RpcOp* op, Start&& start) {
    {
      std::lock_guard lock(gate_);
      if (closed_) return false;
      Started(op);
      start(queue_.get());
    }
    Stir();
    return true;
  }
  // The same, on the loop's thread, for an operation that is mostly done when `start` returns, as a
  // write is that the socket takes at once: then no thread is woken, and its `done` runs at the end
  // of the turn.
  template <typename Start>
  bool StartQuickOp(RpcOp* op, Start&& start) {
    bool quick;
    {
      std::lock_guard lock(gate_);
      if (closed_) return false;
      Started(op);
      BeginQuickOp();
      start(queue_.get());
      quick = EndQuickOp() == op;
    }
    if (!quick) ExpectSoon();
    return true;
  }
  // gRPC was called in a way that may have completed something.
  void Stir();
  // No new operations; what is in flight comes back (whoever cancelled it), the thread ends. What
  // came back last is handed to the loop, or given back muted if the loop runs no more.
  void Shutdown();
  // Handles muted, in this thread, what was not yet handed over. On the loop's thread, or without
  // a running loop.
  void DrainMuted() { Drain(true); }

  grpc::CompletionQueue* get() { return queue_.get(); }
  EventLoop* loop() const { return loop_; }
  RpcStats stats() const;

  // For RpcLoopPoller, on the loop. Handles one completion, if there is one or an event brings one.
  bool DrainNext();
  // Is an operation in flight that has an end of its own, unlike a resting one?
  bool busy() const { return busy_.load(std::memory_order_relaxed) > 0; }
  void CountWakeup() { wakeups_.fetch_add(1, std::memory_order_relaxed); }
  // For RpcPolling. The loop drains it; a thread does, and the loop no more.
  void BePolled(std::shared_ptr<RpcLoopPoller> poller);
  void TakeThread();

 private:
  struct QuickEnd final : TurnEnd {
    explicit QuickEnd(RpcQueue* q)
        : TurnEnd([](TurnEnd* end) { static_cast<QuickEnd*>(end)->queue->DrainQuick(); }),
          queue(q) {}
    RpcQueue* const queue;
  };

  void Run();
  void HandOver(RpcOp* op);
  void ExpectSoon();
  void Started(const RpcOp* op);
  void Ended(const RpcOp* op);
  void BeginQuickOp();
  RpcOp* EndQuickOp();
  void DrainQuick();
  void Drain(bool muted);

  EventLoop* const loop_;
  std::unique_ptr<grpc::CompletionQueue> queue_;
  std::string thread_name_;
  std::thread thread_;
  std::shared_ptr<RpcLoopPoller> poller_;
  std::mutex gate_;
  bool begun_ = false, closed_ = false;
  std::atomic<bool> polled_{false};
  std::atomic<size_t> busy_{0};
  std::atomic<RpcOp*> done_list_{nullptr};
  std::vector<RpcOp*> quick_;  // done within the call that started them; the loop's
  QuickEnd quick_end_{this};
  std::atomic<uint64_t> completions_{0}, wakeups_{0};
};

}  // namespace runtime::internal
