#include "business/auth/password_workers.h"

#include <openssl/crypto.h>
#include <pthread.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "lib/runtime/metrics.h"

namespace business {

using runtime::Error;
using runtime::Result;
using runtime::Task;
using xmpp::sasl::Hash;
using xmpp::sasl::ScramKeys;

namespace {

using Keys = std::vector<ScramKeys>;

runtime::Gauge& Waiting() {
  static runtime::Gauge& gauge = runtime::Metrics::Get().GetGauge(
      "xylem_auth_password_queue", "Passwords waiting for a thread that hashes them");
  return gauge;
}

runtime::Counter& Refused() {
  static runtime::Counter& counter = runtime::Metrics::Get().GetCounter(
      "xylem_auth_password_refused_total", "Passwords not hashed because too many were waiting");
  return counter;
}

runtime::Histogram& Seconds() {
  static runtime::Histogram& histogram = runtime::Metrics::Get().GetHistogram(
      "xylem_auth_password_seconds", "Hashing of a password, from its request to its end",
      runtime::LatencyBounds());
  return histogram;
}

// A password that is wiped when its work is done.
class Secret {
 public:
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(Secret&&) = default;
  ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

bool Matches(const ScramKeys& keys, const std::string& password) {
  const ScramKeys derived = xmpp::sasl::DeriveKeys(keys.hash, password, keys.salt, keys.iterations);
  return xmpp::sasl::SameSecret(derived.stored_key, keys.stored_key);
}

Keys DeriveAll(const std::string& password, uint32_t iterations) {
  Keys keys;
  for (const Hash hash : {Hash::kSha1, Hash::kSha256, Hash::kSha512}) {
    const std::string salt = xmpp::sasl::RandomBytes(xmpp::sasl::kSaltBytes);
    keys.push_back(xmpp::sasl::DeriveKeys(hash, password, salt, iterations));
  }
  return keys;
}

}  // namespace

PasswordWorkers::PasswordWorkers(int threads, size_t queue) : limit_(queue) {
  for (int i = 0; i < std::max(threads, 1); ++i) {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), "password");
      Run();
    });
  }
}

PasswordWorkers::~PasswordWorkers() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Task<Result<bool>> PasswordWorkers::Check(runtime::EventLoop* loop, ScramKeys keys,
                                          std::string prepared_password) {
  return Ask<bool>(loop, [keys = std::move(keys), password = Secret(std::move(prepared_password))] {
    return Matches(keys, password.text());
  });
}

Task<Result<Keys>> PasswordWorkers::Derive(runtime::EventLoop* loop, std::string prepared_password,
                                           uint32_t iterations) {
  return Ask<Keys>(loop, [password = Secret(std::move(prepared_password)), iterations] {
    return DeriveAll(password.text(), iterations);
  });
}

template <typename T>
Task<Result<T>> PasswordWorkers::Ask(runtime::EventLoop* loop, absl::AnyInvocable<T()> calculate) {
  loop->AssertInLoop();
  auto answered = std::make_shared<runtime::OneShot<Result<T>>>();
  const bool taken = Submit([loop, answered, calculate = std::move(calculate),
                             asked = std::chrono::steady_clock::now()](bool stopping) mutable {
    Result<T> result =
        stopping ? Result<T>(Error::Unavailable("the server is stopping")) : Result<T>(calculate());
    calculate = nullptr;  // the password goes as soon as it is not needed
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - asked;
    if (!stopping) Seconds().Observe(taken.count());
    loop->Post([answered = std::move(answered), result = std::move(result)]() mutable {
      answered->Set(std::move(result));
    });
  });
  if (!taken) {
    Refused().Add();
    co_return Error::Unavailable("too many passwords are waiting to be hashed");
  }
  auto& answer = *answered;  // g++ 12 copies what `co_await *x` names
  Result<T> result = co_await answer;
  co_return result;
}

bool PasswordWorkers::Submit(Work work) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= limit_ || stopping_) return false;
    queue_.push_back(std::move(work));
    Waiting().Add(1);
  }
  wake_.notify_one();
  return true;
}

void PasswordWorkers::Run() {
  while (true) {
    Work work;
    bool stopping = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
      stopping = stopping_;
    }
    Waiting().Add(-1);
    work(stopping);
  }
}

}  // namespace business
