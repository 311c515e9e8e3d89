#include "lib/runtime/redis_connection.h"

#include <hiredis/read.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "lib/runtime/check.h"
#include "lib/runtime/redis_reply_builder.h"

namespace runtime {
namespace {

// A watch that fires this much late means that the process itself stood still: what Redis sent
// meanwhile must be read before anything is called silent.
constexpr uint64_t kStalledMs = 250;

uint64_t NowUs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

void AppendLength(std::string* out, char mark, size_t n) {
  char text[24];
  text[0] = mark;
  char* end = std::to_chars(text + 1, text + sizeof text - 2, n).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out->append(text, static_cast<size_t>(end - text));
}

}  // namespace

void AppendRedisCommand(std::string* out, const RedisClient::Args& args) {
  AppendLength(out, '*', args.size());
  for (const std::string& arg : args) {
    AppendLength(out, '$', arg.size());
    out->append(arg);
    out->append("\r\n", 2);
  }
}

RedisConnection::WatchTimer::WatchTimer(RedisConnection* c)
    : Timer([](Timer* t) { static_cast<WatchTimer*>(t)->connection->OnWatch(); }), connection(c) {}

RedisConnection::FlushAtTurnEnd::FlushAtTurnEnd(RedisConnection* c)
    : TurnEnd([](TurnEnd* t) { static_cast<FlushAtTurnEnd*>(t)->connection->Flush(); }),
      connection(c) {}

RedisConnection::RedisConnection(EventLoop* loop, const RedisOptions* options, std::string address,
                                 Owner* owner)
    : loop_(loop),
      options_(options),
      address_(std::move(address)),
      owner_(owner),
      reader_(NewRedisReader(&root_)),
      watch_(this),
      flush_(this) {}

RedisConnection::~RedisConnection() {
  CloseSocket();
  redisReaderFree(reader_);
}

void RedisConnection::Abandon() {
  owner_ = nullptr;
  CloseSocket();
}

void RedisConnection::CloseSocket() {
  state_ = State::kClosed;
  resolution_.reset();
  watch_.Cancel();
  flush_.Cancel();
  if (fd_ < 0) return;
  loop_->RemoveFd(fd_, this);
  close(fd_);
  fd_ = -1;
}

void RedisConnection::Open() {
  state_ = State::kResolving;
  last_sound_ms_ = loop_->NowMs();
  ArmWatch();
  resolution_ =
      ResolveRedis(loop_, address_, [this](const RedisSocketAddress& to) { Connect(to); });
}

void RedisConnection::Connect(const RedisSocketAddress& to) {
  // A failure ends in the watch, which fires in a later turn: Open never calls back.
  watch_due_ms_ = loop_->NowMs();
  if (to.length == 0) return loop_->Arm(&watch_, std::chrono::milliseconds(0));
  fd_ = socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return loop_->Arm(&watch_, std::chrono::milliseconds(0));
  if (to.family() != AF_UNIX) {
    int on = 1, idle = 15, interval = 5, count = 3;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd_, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd_, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd_, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  }
  int rc = connect(fd_, reinterpret_cast<const sockaddr*>(&to.storage), to.length);
  if (rc != 0 && errno != EINPROGRESS) {
    close(fd_);
    fd_ = -1;
    return loop_->Arm(&watch_, std::chrono::milliseconds(0));
  }
  state_ = State::kConnecting;
  want_write_ = true;
  loop_->AddFd(fd_, EPOLLIN | EPOLLOUT, this);
  ArmWatch();
}

void RedisConnection::Greet() {
  state_ = State::kGreeting;
  auto greet = [this](RedisClient::Args args) {
    RedisRequest request;
    request.args = std::move(args);
    request.deadline_ms =
        loop_->NowMs() + static_cast<uint64_t>(options_->command_deadline.count());
    ++greetings_;
    Send(std::move(request), false);
  };
  if (!options_->password.empty()) {
    if (options_->username.empty()) {
      greet({"AUTH", options_->password});
    } else {
      greet({"AUTH", options_->username, options_->password});
    }
  }
  greet({"PING"});
}

void RedisConnection::OnGreeting(const RedisReply& reply) {
  // NOAUTH, WRONGPASS, LOADING …: try again later, on a new connection.
  if (reply.IsError()) return Fail(reply.text);
  if (--greetings_ > 0) return;
  state_ = State::kReady;
  watch_.Cancel();  // the greeting's; the next command arms it by its own times
  owner_->OnReady(this);
}

void RedisConnection::Send(RedisRequest request, bool keep_args) {
  if (sent_.empty()) last_sound_ms_ = loop_->NowMs();
  if (request.asking) {
    AppendRedisCommand(&out_, {"ASKING"});
    RedisRequest asking;
    asking.internal = true;
    asking.deadline_ms = request.deadline_ms;
    asking.stream_end = stream_begin_ + out_.size();
    sent_.push(std::move(asking));
    ++unstamped_;
  }
  AppendRedisCommand(&out_, request.args);
  request.stream_end = stream_begin_ + out_.size();
  if (!keep_args) request.args = {};
  sent_.push(std::move(request));
  ++unstamped_;
  if (!watch_.armed()) ArmWatch();
  if (!want_write_) loop_->ScheduleTurnEnd(&flush_);
}

void RedisConnection::Flush() {
  if (fd_ < 0) return;
  uint64_t now_us = NowUs();
  for (size_t i = sent_.size() - unstamped_; i < sent_.size(); ++i) sent_.at(i).sent_us = now_us;
  unstamped_ = 0;
  while (out_done_ < out_.size()) {
    ssize_t n = send(fd_, out_.data() + out_done_, out_.size() - out_done_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n < 0) return Fail(std::string("write: ") + strerror(errno));
    ++writes_;
    out_done_ += static_cast<size_t>(n);
  }
  bool rest = out_done_ < out_.size();
  if (!rest) {
    stream_begin_ += out_.size();
    out_done_ = 0;
    out_.clear();
    if (out_.capacity() > (size_t{1} << 20)) out_.shrink_to_fit();
  }
  if (rest != want_write_) {
    want_write_ = rest;
    loop_->ModifyFd(fd_, rest ? EPOLLIN | EPOLLOUT : EPOLLIN, this);
  }
}

void RedisConnection::OnFdEvents(uint32_t events) {
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Fail(std::string("connect: ") + strerror(error));
    if ((events & EPOLLOUT) == 0) return;
    want_write_ = false;
    loop_->ModifyFd(fd_, EPOLLIN, this);
    return Greet();
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Read();
  if (fd_ >= 0 && (events & EPOLLOUT) != 0) Flush();
}

void RedisConnection::Read() {
  static thread_local char buffer[64 * 1024];
  for (int round = 0; round < 8; ++round) {
    ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) return Fail(std::string("read: ") + strerror(errno));
    if (n == 0) return Fail("closed by Redis");
    read_us_ = NowUs();
    last_sound_ms_ = loop_->NowMs();
    if (silent_) {
      silent_ = false;
      owner_->OnSound(this);
      if (fd_ < 0) return;
    }
    if (redisReaderFeed(reader_, buffer, static_cast<size_t>(n)) != REDIS_OK) {
      return Fail(std::string("protocol: ") + reader_->errstr);
    }
    if (!TakeReplies()) return;
    if (static_cast<size_t>(n) < sizeof buffer) return;
  }
}

// False when the connection is over.
bool RedisConnection::TakeReplies() {
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_, &reply) != REDIS_OK) {
      Fail(std::string("protocol: ") + reader_->errstr);
      return false;
    }
    if (reply == nullptr) return true;
    RedisReply taken = std::exchange(root_, RedisReply());
    if (sent_.size() == unstamped_) {
      Fail("protocol: a reply that nothing asked for");
      return false;
    }
    RedisRequest request = sent_.pop();
    request.replied_us = read_us_;
    if (state_ == State::kGreeting) {
      OnGreeting(taken);
    } else if (owner_ != nullptr) {
      owner_->OnReply(this, std::move(request), std::move(taken));
    }
    if (fd_ < 0) return false;
  }
}

void RedisConnection::ArmWatch() {
  uint64_t now = loop_->NowMs();
  uint64_t due = last_sound_ms_ + static_cast<uint64_t>(options_->command_deadline.count());
  if (state_ == State::kReady && !sent_.empty()) {
    due = std::min(due, sent_.front().deadline_ms);
    if (!silent_) {
      due = std::min(due, last_sound_ms_ + static_cast<uint64_t>(options_->silence.count()));
    }
  }
  due = std::max(due, now + 1);
  watch_due_ms_ = due;
  loop_->Arm(&watch_, std::chrono::milliseconds(due - now));
}

void RedisConnection::OnWatch() {
  uint64_t now = loop_->NowMs();
  if (state_ == State::kResolving && fd_ < 0 && now < watch_due_ms_ + kStalledMs) {
    return Fail("not resolved or refused");
  }
  if (state_ == State::kReady && sent_.empty()) return;  // armed again by the next command
  if (now > watch_due_ms_ + kStalledMs) return ArmWatch();
  if (state_ != State::kReady) {
    auto limit = static_cast<uint64_t>(options_->command_deadline.count());
    if (now >= last_sound_ms_ + limit) return Fail("no answer to the greeting", true);
    return ArmWatch();
  }
  if (now >= sent_.front().deadline_ms) return Fail("a command was not answered in time", true);
  if (!silent_ && now >= last_sound_ms_ + static_cast<uint64_t>(options_->silence.count())) {
    silent_ = true;
    owner_->OnSilent(this);
    if (fd_ < 0) return;
  }
  ArmWatch();
}

void RedisConnection::Fail(const std::string& reason, bool timed_out) {
  uint64_t written = stream_begin_ + out_done_;
  bool greeting = state_ != State::kReady;
  CloseSocket();
  std::vector<RedisRequest> unknown, unsent;
  while (!sent_.empty()) {
    RedisRequest request = sent_.pop();
    if (greeting || request.internal) {
      if (!request.done) continue;
    }
    // Redis runs a command only when its last byte has come: what is not wholly written certainly
    // did not happen.
    (request.stream_end <= written ? unknown : unsent).push_back(std::move(request));
  }
  Owner* owner = std::exchange(owner_, nullptr);
  if (owner != nullptr) {
    owner->OnLost(this, reason, timed_out, std::move(unknown), std::move(unsent));
  }
}

}  // namespace runtime
