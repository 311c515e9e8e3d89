// Names of Redis servers to socket addresses, without ever blocking the loop.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>

#include "lib/runtime/event_loop.h"

namespace runtime {

struct RedisSocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;  // 0: could not be resolved
  int family() const { return storage.ss_family; }
};

// Keep it to get the answer; dropping it cancels.
class RedisResolution {
 public:
  virtual ~RedisResolution() = default;
};

// `address`: "host:port", "[v6]:port" or "unix:/path". Numeric ones are answered at once, from
// inside this call (then nullptr is returned); a name costs a short thread with getaddrinfo,
// because a resolver that hangs must not hang the loop.
std::unique_ptr<RedisResolution> ResolveRedis(
    EventLoop* loop, const std::string& address,
    absl::AnyInvocable<void(const RedisSocketAddress&)> done);

// "host" and "port" of "host:port" or "[v6]:port".
std::pair<std::string, std::string> SplitRedisAddress(const std::string& address);

}  // namespace runtime
