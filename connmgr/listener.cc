#include "connmgr/listener.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "connmgr/connmgr_loop.h"

namespace connmgr {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsAtOnce = 64;  // a turn
constexpr std::chrono::milliseconds kPause{20};

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);
}

// Accepted sockets inherit these: no system calls for each connection.
void SetClientOptions(int fd, std::chrono::milliseconds keepalive) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  const auto idle = static_cast<int>(std::max<int64_t>(1, keepalive.count() / 1000));
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::clamp(idle / 4, 1, 30));
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

}  // namespace

bool Listener::Open(const ListenerSettings& settings) {
  settings_ = settings;
  fd_ = socket(settings_.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  SetOption(fd_, SOL_SOCKET, SO_REUSEADDR, 1);
  SetOption(fd_, SOL_SOCKET, SO_REUSEPORT, 1);
  if (settings_.address.family() == AF_INET6) SetOption(fd_, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  SetClientOptions(fd_, loop_.settings().keepalive);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (bind(fd_, settings_.address.get(), settings_.address.size()) != 0 ||
      listen(fd_, kBacklog) != 0 ||
      getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    const int error = errno;
    close(fd_);
    fd_ = -1;
    errno = error;
    return false;
  }
  settings_.address.set_port(SocketAddress::From(bound, size).port());
  loop_.loop().AddFd(fd_, EPOLLIN, this);
  return true;
}

void Listener::Close() {
  if (fd_ < 0) return;
  while (AcceptOne(Admission::Pace::kIgnored)) {
  }
  Cancel();
  loop_.loop().RemoveFd(fd_, this);
  close(fd_);
  fd_ = -1;
}

void Listener::OnFdEvents(uint32_t) {
  for (int i = 0; i < kAcceptsAtOnce && AcceptOne(Admission::Pace::kKept); ++i) {
  }
}

bool Listener::AcceptOne(Admission::Pace pace) {
  if (auto refusal = loop_.admission().MayAccept(loop_.loop().NowMs(), pace)) {
    Pause(*refusal);
    return false;
  }
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  const int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    loop_.admission().Leave();
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      Pause(Refusal::kDescriptors);
    }
    // A connection that was reset while it waited is no reason to stop.
    return errno == ECONNABORTED || errno == EPROTO || errno == EINTR;
  }
  loop_.Adopt(fd, settings_, SocketAddress::From(peer, size));
  return true;
}

void Listener::Pause(Refusal refusal) {
  if (armed()) return;
  loop_.counters().refused[static_cast<size_t>(refusal)].Add();
  loop_.loop().ModifyFd(fd_, 0, this);
  loop_.loop().Arm(this, kPause);
}

void Listener::OnResume(runtime::Timer* timer) {
  auto* self = static_cast<Listener*>(timer);
  self->loop_.loop().ModifyFd(self->fd_, EPOLLIN, self);
}

}  // namespace connmgr
