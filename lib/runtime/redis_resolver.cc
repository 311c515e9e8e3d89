#include "lib/runtime/redis_resolver.h"

#include <netdb.h>
#include <sys/un.h>

#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

namespace runtime {
namespace {

RedisSocketAddress Look(const std::string& host, const std::string& port, int flags) {
  RedisSocketAddress found;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &list) != 0) return found;
  if (list != nullptr && list->ai_addrlen <= sizeof found.storage) {
    memcpy(&found.storage, list->ai_addr, list->ai_addrlen);
    found.length = list->ai_addrlen;
  }
  freeaddrinfo(list);
  return found;
}

RedisSocketAddress UnixPath(const std::string& path) {
  RedisSocketAddress found;
  auto* un = reinterpret_cast<sockaddr_un*>(&found.storage);
  if (path.size() >= sizeof un->sun_path) return found;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path.c_str(), path.size() + 1);
  found.length = sizeof(sockaddr_un);
  return found;
}

using Done = absl::AnyInvocable<void(const RedisSocketAddress&)>;

// Shared with the thread: the loop is posted to only while the client still waits.
struct Waiting {
  std::mutex mutex;
  EventLoop* loop;
  Done done;
};

class ThreadResolution : public RedisResolution {
 public:
  explicit ThreadResolution(std::shared_ptr<Waiting> waiting) : waiting_(std::move(waiting)) {}
  ~ThreadResolution() override {
    std::lock_guard lock(waiting_->mutex);
    waiting_->loop = nullptr;
  }

 private:
  std::shared_ptr<Waiting> waiting_;
};

}  // namespace

std::pair<std::string, std::string> SplitRedisAddress(const std::string& address) {
  size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, "6379"};
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return {host, address.substr(colon + 1)};
}

std::unique_ptr<RedisResolution> ResolveRedis(EventLoop* loop, const std::string& address,
                                              Done done) {
  constexpr std::string_view kUnix = "unix:";
  if (address.compare(0, kUnix.size(), kUnix) == 0) {
    done(UnixPath(address.substr(kUnix.size())));
    return nullptr;
  }
  auto [host, port] = SplitRedisAddress(address);
  RedisSocketAddress numeric = Look(host, port, AI_NUMERICHOST);
  if (numeric.length != 0) {
    done(numeric);
    return nullptr;
  }
  auto waiting = std::make_shared<Waiting>();
  waiting->loop = loop;
  waiting->done = std::move(done);
  std::thread([waiting, host = host, port = port] {
    RedisSocketAddress found = Look(host, port, 0);
    std::lock_guard lock(waiting->mutex);
    if (waiting->loop == nullptr) return;
    waiting->loop->Post([waiting, found] {
      {
        std::lock_guard inner(waiting->mutex);
        if (waiting->loop == nullptr) return;
      }
      waiting->done(found);
    });
  }).detach();
  return std::make_unique<ThreadResolution>(std::move(waiting));
}

}  // namespace runtime
