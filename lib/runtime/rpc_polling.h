// gRPC polled by a process's only loop, in place of threads that wait in completion queues.
// Internal.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "lib/runtime/event_loop.h"

namespace runtime::internal {

class RpcQueue;

// Drains the queues of its loop when gRPC has something to do. gRPC's epoll1 engine keeps every
// socket of the process in one epoll set, and an epoll set's descriptor can be watched by another
// one: that of the loop. So a completion costs no thread switch.
//
// What other threads of gRPC complete (its timers: keepalive, a connect that takes too long; the
// thread that it makes while a socket takes no more bytes) is noted in the queue, but makes the
// descriptor not readable. Therefore the queues are drained now and then as well: soon while an
// operation is under way that has an end of its own, or while such a thread may still be polling;
// at leisure otherwise.
//
// Made anywhere, then on its loop. Held by RpcPolling and by what is posted to the loop.
class RpcLoopPoller final : public FdHandler, public std::enable_shared_from_this<RpcLoopPoller> {
 public:
  RpcLoopPoller(EventLoop* loop, int epoll_fd);

  EventLoop* loop() const { return loop_; }
  void Start();  // any thread
  void Stop();   // any thread; last call

  void Add(std::shared_ptr<RpcQueue> queue);  // any thread
  void Remove(RpcQueue* queue);               // any thread
  std::vector<std::shared_ptr<RpcQueue>> queues() const;

  // Something was started outside of Drain, or may have ended: drains at the end of the turn.
  void Stir() {
    if (running_ && !draining_) loop_->ScheduleTurnEnd(&turn_end_);
  }
  // From any other thread.
  void StirFromOutside();
  // An operation that has an end of its own did not end at once.
  void ExpectSoon();

 private:
  struct DrainEnd final : TurnEnd {
    explicit DrainEnd(RpcLoopPoller* p)
        : TurnEnd([](TurnEnd* end) { static_cast<DrainEnd*>(end)->poller->Drain(); }), poller(p) {}
    RpcLoopPoller* const poller;
  };
  struct DrainTimer final : Timer {
    explicit DrainTimer(RpcLoopPoller* p)
        : Timer([](Timer* timer) { static_cast<DrainTimer*>(timer)->poller->Drain(); }),
          poller(p) {}
    RpcLoopPoller* const poller;
  };

  void OnFdEvents(uint32_t) override { Drain(); }
  void Drain();
  int DrainQueues();
  void ArmTimer(bool active);
  void LetGo();

  EventLoop* const loop_;
  const int epoll_fd_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<RpcQueue>> queues_;
  std::atomic<uint64_t> version_{0};  // of queues_

  // The loop's.
  bool running_ = false, draining_ = false;
  uint64_t seen_version_ = 0;
  std::vector<std::shared_ptr<RpcQueue>> seen_;
  uint64_t soon_until_ms_ = 0;
  DrainEnd turn_end_{this};
  DrainTimer timer_{this};
};

// Which queues have a thread and which are drained by their loop: all of them by one loop, or, as
// soon as a second loop has one, each by a thread; until none is left.
class RpcPolling {
 public:
  static RpcPolling& Instance();

  // See runtime::PrepareRpc. True: loops may poll.
  bool Prepare(int loops);
  // Says to `queue` who drains it. Any thread.
  void Add(const std::shared_ptr<RpcQueue>& queue);
  // Once for each Add, when the queue is shut down: it is told nothing any more.
  void Remove(RpcQueue* queue);

 private:
  std::mutex mutex_;
  int epoll_fd_ = -1;
  bool threads_ = false;
  size_t count_ = 0;
  std::shared_ptr<RpcLoopPoller> poller_;
};

}  // namespace runtime::internal
