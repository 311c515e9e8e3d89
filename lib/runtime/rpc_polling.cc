#include "lib/runtime/rpc_polling.h"

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpc/support/time.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/version_info.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_queue.h"

namespace runtime {

RpcCompletions PrepareRpc(int loops) {
  return internal::RpcPolling::Instance().Prepare(loops) ? RpcCompletions::kPolledByLoop
                                                         : RpcCompletions::kThreads;
}

namespace internal {
namespace {

// While something is under way; resolution of the wheel is 8 ms.
constexpr std::chrono::milliseconds kSoon{5};
// After something was done: a thread of gRPC may have taken a part of it over.
constexpr std::chrono::milliseconds kAfterwards{20};
constexpr std::chrono::milliseconds kIdle{1000};
// gRPC's thread for sockets that take no more bytes polls in steps of 10 s.
constexpr uint64_t kHelperMs = 10500;
// Completions in one go; other work of the loop must get its turn.
constexpr int kBudget = 256;

// gRPC's epoll set, once it is known.
std::atomic<int> grpc_set{-1};
// By this thread: the set that was waited for last; events taken from gRPC's.
thread_local int last_set = -1;
thread_local uint64_t events_taken = 0;

// Starts gRPC and looks on while a queue is polled: the set it waits for, -1 for none.
int FindEpollSet() {
  // The loop polls; a thread that does so as well every 5 s would only take events away from it.
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", /*overwrite=*/0);
  grpc_init();  // for good: the set lives as long as the process
  grpc::CompletionQueue queue;
  void* tag;
  bool ok;
  last_set = -1;
  queue.AsyncNext(&tag, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC));
  const int found = last_set;
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  return found;
}

// The versions that it was tried with; later ones move to another engine (EventEngine).
constexpr bool kKnownVersion = GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51;

}  // namespace

// --- RpcLoopPoller

RpcLoopPoller::RpcLoopPoller(EventLoop* loop, int epoll_fd) : loop_(loop), epoll_fd_(epoll_fd) {}

void RpcLoopPoller::Start() {
  loop_->Post([self = shared_from_this()] {
    self->running_ = true;
    self->loop_->AddFd(self->epoll_fd_, EPOLLIN, self.get());
    self->Drain();
  });
}

void RpcLoopPoller::Stop() {
  {
    std::lock_guard lock(mutex_);
    queues_.clear();
  }
  // A loop that runs no more destroys what was posted, and with it the last that stands in the
  // loop.
  struct OnLoop {
    explicit OnLoop(std::shared_ptr<RpcLoopPoller> p) : poller(std::move(p)) {}
    OnLoop(OnLoop&&) noexcept = default;
    ~OnLoop() {
      if (poller != nullptr) poller->LetGo();
    }
    std::shared_ptr<RpcLoopPoller> poller;
  };
  loop_->Post([token = OnLoop(shared_from_this())]() mutable {
    const std::shared_ptr<RpcLoopPoller> self = std::move(token.poller);
    if (self->running_) self->loop_->RemoveFd(self->epoll_fd_, self.get());
    self->LetGo();
  });
}

void RpcLoopPoller::LetGo() {
  running_ = false;
  timer_.Cancel();
  turn_end_.Cancel();
  seen_.clear();
}

void RpcLoopPoller::Add(std::shared_ptr<RpcQueue> queue) {
  std::lock_guard lock(mutex_);
  queues_.push_back(std::move(queue));
  version_.fetch_add(1, std::memory_order_release);
}

void RpcLoopPoller::Remove(RpcQueue* queue) {
  std::lock_guard lock(mutex_);
  std::erase_if(queues_, [queue](const auto& mine) { return mine.get() == queue; });
  version_.fetch_add(1, std::memory_order_release);
}

std::vector<std::shared_ptr<RpcQueue>> RpcLoopPoller::queues() const {
  std::lock_guard lock(mutex_);
  return queues_;
}

void RpcLoopPoller::StirFromOutside() {
  loop_->Post([self = shared_from_this()] {
    self->ExpectSoon();
    self->Drain();
  });
}

void RpcLoopPoller::ExpectSoon() {
  soon_until_ms_ = loop_->NowMs() + kHelperMs;
  Stir();
}

// Until no queue has anything and the last to be asked took no event; how many completions.
int RpcLoopPoller::DrainQueues() {
  int done = 0;
  size_t empty = 0;  // in a row, since an event was taken
  for (size_t i = 0; empty < seen_.size() && done < kBudget && running_; ++i) {
    const std::shared_ptr<RpcQueue> queue = seen_[i % seen_.size()];
    const int before = done;
    uint64_t events;
    do {
      events = events_taken;
      while (done < kBudget && queue->DrainNext()) {
        ++done;
        events = events_taken;
      }
      if (events_taken != events) empty = 0;  // it may be another queue's
    } while (done < kBudget && events_taken != events);
    if (done > before) {
      queue->CountWakeup();
      empty = 0;
    }
    ++empty;
  }
  return done;
}

void RpcLoopPoller::Drain() {
  if (!running_ || draining_) return;
  const auto hold = shared_from_this();
  draining_ = true;
  turn_end_.Cancel();
  if (const uint64_t version = version_.load(std::memory_order_acquire); version != seen_version_) {
    seen_ = queues();
    seen_version_ = version;
  }
  const uint64_t first = events_taken;
  const int done = DrainQueues();
  draining_ = false;
  if (!running_) return;
  if (done >= kBudget) StirFromOutside();  // in the next turn
  ArmTimer(done > 0 || events_taken != first);
}

void RpcLoopPoller::ArmTimer(bool active) {
  const bool busy =
      std::any_of(seen_.begin(), seen_.end(), [](const auto& queue) { return queue->busy(); });
  const uint64_t now = loop_->NowMs();
  if (busy) soon_until_ms_ = now + kHelperMs;
  loop_->Arm(&timer_, busy ? kSoon : active || now < soon_until_ms_ ? kAfterwards : kIdle);
}

// --- RpcPolling

RpcPolling& RpcPolling::Instance() {
  static auto* instance = new RpcPolling;
  return *instance;
}

bool RpcPolling::Prepare(int loops) {
  const char* wish = std::getenv("XYLEM_RPC_COMPLETIONS");
  if (loops != 1 || !kKnownVersion || (wish != nullptr && std::string_view(wish) == "threads")) {
    return false;
  }
  std::lock_guard lock(mutex_);
  if (epoll_fd_ < 0) {
    epoll_fd_ = FindEpollSet();
    grpc_set.store(epoll_fd_);
  }
  return epoll_fd_ >= 0;
}

void RpcPolling::Add(const std::shared_ptr<RpcQueue>& queue) {
  std::lock_guard lock(mutex_);
  ++count_;
  if (epoll_fd_ < 0 || threads_) return queue->TakeThread();
  if (poller_ == nullptr) {
    poller_ = std::make_shared<RpcLoopPoller>(queue->loop(), epoll_fd_);
    poller_->Start();
  }
  if (poller_->loop() == queue->loop()) {
    queue->BePolled(poller_);
    poller_->Add(queue);
    return;
  }
  // A thread that waits for the second loop's queue polls all sockets and takes events that the
  // first one would wait for.
  threads_ = true;
  for (const auto& polled : poller_->queues()) polled->TakeThread();
  std::exchange(poller_, nullptr)->Stop();
  queue->TakeThread();
}

void RpcPolling::Remove(RpcQueue* queue) {
  std::lock_guard lock(mutex_);
  if (--count_ == 0) threads_ = false;
  if (poller_ == nullptr) return;
  poller_->Remove(queue);
  if (count_ == 0) return std::exchange(poller_, nullptr)->Stop();
  poller_->StirFromOutside();  // lets go of it
}

}  // namespace internal
}  // namespace runtime

// In place of libc's, which it calls. gRPC takes up to 100 events from its set and handles one of
// them a call: what it keeps nobody sees, neither the loop that watches the set nor the one who
// calls. Here it gets one at a time, and what is left keeps the set readable.
extern "C" int epoll_wait(int set, epoll_event* events, int max, int timeout) {
  using runtime::internal::events_taken, runtime::internal::grpc_set, runtime::internal::last_set;
  static const auto libc = reinterpret_cast<decltype(&epoll_wait)>(dlsym(RTLD_NEXT, "epoll_wait"));
  last_set = set;
  if (set != grpc_set.load(std::memory_order_relaxed)) return libc(set, events, max, timeout);
  const int n = libc(set, events, 1, timeout);
  if (n > 0) ++events_taken;
  return n;
}
