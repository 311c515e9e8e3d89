// The threads that hash passwords, about a millisecond of CPU each: bounded, so that a storm of
// logins costs waiting and refusals, not the loops.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace business {

// One per process, thread-safe. Destroy it before the loops that asked; what still waits is then
// answered kUnavailable.
class PasswordWorkers {
 public:
  // At most `queue` requests wait for one of `threads`; more are refused with kUnavailable.
  PasswordWorkers(int threads, size_t queue);
  ~PasswordWorkers();
  PasswordWorkers(const PasswordWorkers&) = delete;
  PasswordWorkers& operator=(const PasswordWorkers&) = delete;

  // Whether `prepared_password` is the one that `keys` were derived from. Asked and answered on
  // `loop`.
  runtime::Task<runtime::Result<bool>> Check(runtime::EventLoop* loop, xmpp::sasl::ScramKeys keys,
                                             std::string prepared_password);
  // Keys for SHA-1, SHA-256 and SHA-512, each with a fresh salt. Asked and answered on `loop`.
  runtime::Task<runtime::Result<std::vector<xmpp::sasl::ScramKeys>>> Derive(
      runtime::EventLoop* loop, std::string prepared_password, uint32_t iterations);

 private:
  // Runs on a worker; `stopping`: answer kUnavailable instead.
  using Work = absl::AnyInvocable<void(bool stopping)>;

  template <typename T>
  runtime::Task<runtime::Result<T>> Ask(runtime::EventLoop* loop,
                                        absl::AnyInvocable<T()> calculate);
  bool Submit(Work work);
  void Run();

  const size_t limit_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<Work> queue_;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace business
