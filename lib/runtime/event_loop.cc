#include "lib/runtime/event_loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <string>

#include "lib/runtime/check.h"

namespace runtime {

void TurnEnd::Cancel() {
  if (pprev_ == nullptr) return;
  *pprev_ = next_;
  if (next_ != nullptr) next_->pprev_ = pprev_;
  next_ = nullptr;
  pprev_ = nullptr;
}

EventLoop::EventLoop(int index)
    : index_(index),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_ms_(MonotonicMs()),
      timers_(now_ms_) {
  CHECK(epoll_fd_ >= 0 && wake_fd_ >= 0);
  epoll_event ev{};
  ev.events = EPOLLIN;
  ev.data.ptr = nullptr;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &ev) == 0);
}

EventLoop::~EventLoop() {
  one_shots_.clear();
  close(wake_fd_);
  close(epoll_fd_);
}

uint64_t EventLoop::MonotonicMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

void EventLoop::AssertInLoop() const { CHECK(InLoop()); }

void EventLoop::Wake() {
  uint64_t one = 1;
  ssize_t n = write(wake_fd_, &one, sizeof one);
  (void)n;  // a full counter wakes as well
}

void EventLoop::Post(Callback work) {
  bool wake;
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
    wake = !wake_pending_;
    wake_pending_ = true;
  }
  stats_.posts.fetch_add(1, std::memory_order_relaxed);
  if (wake) Wake();
}

void EventLoop::Stop() {
  stop_.store(true);
  Wake();
}

void EventLoop::Defer(Callback work) { deferred_.push_back(std::move(work)); }

void EventLoop::ScheduleTurnEnd(TurnEnd* end) {
  if (end->scheduled()) return;
  end->next_ = turn_ends_;
  end->pprev_ = &turn_ends_;
  if (turn_ends_ != nullptr) turn_ends_->pprev_ = &end->next_;
  turn_ends_ = end;
}

void EventLoop::AddFd(int fd, uint32_t events, FdHandler* handler) {
  epoll_event ev{};
  ev.events = events;
  ev.data.ptr = handler;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev) == 0);
}

void EventLoop::ModifyFd(int fd, uint32_t events, FdHandler* handler) {
  epoll_event ev{};
  ev.events = events;
  ev.data.ptr = handler;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &ev) == 0);
}

void EventLoop::RemoveFd(int fd, FdHandler* handler) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  removed_.push_back(handler);
}

struct EventLoop::OneShotTimer : Timer {
  OneShotTimer(EventLoop* l, runtime::Callback w) : Timer(&Fire), loop(l), work(std::move(w)) {}
  static void Fire(Timer* timer) {
    auto* self = static_cast<OneShotTimer*>(timer);
    runtime::Callback work = std::move(self->work);
    self->loop->one_shots_.erase(self->place);
    work();
  }
  EventLoop* loop;
  runtime::Callback work;
  std::list<std::unique_ptr<OneShotTimer>>::iterator place;
};

void EventLoop::RunAfter(std::chrono::milliseconds delay, Callback work) {
  one_shots_.push_front(std::make_unique<OneShotTimer>(this, std::move(work)));
  one_shots_.front()->place = one_shots_.begin();
  Arm(one_shots_.front().get(), delay);
}

void EventLoop::RunPosted() {
  {
    std::lock_guard lock(posted_mutex_);
    running_.swap(posted_);
    wake_pending_ = false;
  }
  for (Callback& work : running_) work();
  running_.clear();
}

void EventLoop::RunTurnEnds() {
  // What a turn end schedules runs in the same turn: effects of effects leave in one write.
  while (turn_ends_ != nullptr || !deferred_.empty()) {
    if (!deferred_.empty()) {
      std::vector<Callback> batch;
      batch.swap(deferred_);
      for (Callback& work : batch) work();
      continue;
    }
    TurnEnd* end = turn_ends_;
    end->Cancel();
    end->run_(end);
  }
}

void EventLoop::RunTurn(int timeout_ms) {
  constexpr int kMaxEvents = 256;
  epoll_event events[kMaxEvents];
  int n = epoll_wait(epoll_fd_, events, kMaxEvents, timeout_ms);
  if (n < 0) {
    CHECK(errno == EINTR);
    n = 0;
  }
  now_ms_ = MonotonicMs();
  auto begin = std::chrono::steady_clock::now();
  removed_.clear();
  bool woken = false;
  for (int i = 0; i < n; ++i) {
    auto* handler = static_cast<FdHandler*>(events[i].data.ptr);
    if (handler == nullptr) {
      uint64_t count;
      ssize_t r = read(wake_fd_, &count, sizeof count);
      (void)r;
      woken = true;
      continue;
    }
    if (!removed_.empty() &&
        std::find(removed_.begin(), removed_.end(), handler) != removed_.end()) {
      continue;
    }
    handler->OnFdEvents(events[i].events);
  }
  timers_.Advance(now_ms_);
  if (woken) RunPosted();
  RunTurnEnds();
  auto us = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                      std::chrono::steady_clock::now() - begin)
                                      .count());
  stats_.turns.fetch_add(1, std::memory_order_relaxed);
  stats_.busy_us.fetch_add(us, std::memory_order_relaxed);
  stats_.last_turn_ms.store(now_ms_, std::memory_order_relaxed);
  if (us > stats_.max_turn_us.load(std::memory_order_relaxed)) {
    stats_.max_turn_us.store(us, std::memory_order_relaxed);
  }
}

void EventLoop::Run() {
  thread_.store(std::this_thread::get_id());
  now_ms_ = MonotonicMs();
  while (!stop_.load(std::memory_order_relaxed)) {
    int64_t until = timers_.UntilNext(MonotonicMs());
    // At most a second, so that a stuck loop can be told from an idle one (/livez).
    int timeout = until < 0 ? 1000 : static_cast<int>(std::min<int64_t>(until, 1000));
    if (turn_ends_ != nullptr || !deferred_.empty()) timeout = 0;
    RunTurn(timeout);
  }
  // What was posted before Stop still runs.
  RunPosted();
  RunTurnEnds();
}

LoopGroup::LoopGroup(const char* name, int count) {
  for (int i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<EventLoop>(i));
    EventLoop* loop = loops_.back().get();
    std::string thread_name = std::string(name) + "-" + std::to_string(i);
    threads_.emplace_back([loop, thread_name] {
      pthread_setname_np(pthread_self(), thread_name.substr(0, 15).c_str());
      loop->Run();
    });
  }
}

LoopGroup::~LoopGroup() { StopAndJoin(); }

void LoopGroup::StopAndJoin() {
  for (auto& loop : loops_) loop->Stop();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void LoopGroup::RunOn(int i, Callback work) {
  std::promise<void> done;
  at(i).Post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace runtime
