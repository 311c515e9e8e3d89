#include "connmgr/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "connmgr/connmgr_loop.h"
#include "connmgr/proxy_protocol.h"
#include "lib/xmpp/stanza.h"

namespace connmgr {
namespace {

using TlsStatus = runtime::TlsSession::Status;

// What one connection may read in a turn before others have theirs.
constexpr size_t kReadBudget = 64 * 1024;
constexpr int kPiecesAtOnce = 16;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Connection::Connection(ConnmgrLoop& loop, int fd, ConnectionUser& user)
    : runtime::TurnEnd(&RunTurnEnd), loop_(loop), user_(user), fd_(fd) {
  interest_ = EPOLLIN;
  loop_.loop().AddFd(fd_, interest_, this);
}

Connection::~Connection() { Close(); }

void Connection::ExpectProxyHeader() {
  phase_ = Phase::kProxyHeader;
  proxy_ = std::make_unique<ProxyHeaderParser>();
}

void Connection::StartPlain() { phase_ = Phase::kOpen; }

void Connection::StartTls(runtime::TlsContext& context) {
  phase_ = Phase::kTlsHandshake;
  tls_ = runtime::TlsSession::Accept(context, fd_);
  SetInterest(EPOLLIN);
  if (tls_ == nullptr) Lost(CloseReason::kTls);
}

void Connection::Send(std::string_view bytes) {
  if (fd_ < 0) return;
  queue_.Append(loop_.chunks(), bytes);
  loop_.counters().write_queue_bytes.Add(bytes.size());
  WakeAtTurnEnd();
}

void Connection::SendWithTo(std::string_view body, uint32_t splice_offset, std::string_view to) {
  if (fd_ < 0) return;
  std::string* tail = queue_.Tail(loop_.chunks(), body.size() + to.size() + 32);
  const size_t before = tail->size();
  xmpp::AppendWithTo(tail, body, splice_offset, to);
  queue_.Appended(tail->size() - before);
  loop_.counters().write_queue_bytes.Add(tail->size() - before);
  WakeAtTurnEnd();
}

void Connection::WakeAtTurnEnd() {
  if (fd_ >= 0) loop_.loop().ScheduleTurnEnd(this);
}

void Connection::InputWanted() {
  if (phase_ != Phase::kOpen) return;
  SetInterest(interest_ | EPOLLIN);
  // What OpenSSL holds decrypted makes no descriptor readable.
  if (tls_ != nullptr && tls_->HasPending()) Read();
}

void Connection::ShutAfterFlush() {
  if (phase_ == Phase::kOpen) phase_ = Phase::kFlushing;
  if (fd_ < 0) return;
  SetInterest(interest_ | EPOLLIN);
  WakeAtTurnEnd();
}

void Connection::Close() {
  if (fd_ < 0) return;
  loop_.counters().write_queue_bytes.Sub(queue_.bytes());
  queue_.Clear(loop_.chunks());
  Cancel();
  loop_.loop().RemoveFd(fd_, this);
  tls_.reset();
  proxy_.reset();
  close(fd_);
  fd_ = -1;
  phase_ = Phase::kClosed;
}

void Connection::OnFdEvents(uint32_t events) {
  if ((events & EPOLLOUT) != 0 && phase_ != Phase::kTlsHandshake) {
    Flush();
    if (fd_ < 0) return;
  }
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  switch (phase_) {
    case Phase::kProxyHeader:
      return ReadProxyHeader();
    case Phase::kTlsHandshake:
      return Handshake();
    case Phase::kOpen:
      if ((events & EPOLLIN) == 0 && !broken) return;
      if (user_.WantsInput()) return Read();
      if (broken) return Lost(CloseReason::kSocket);
      // Only now: most answers come before the client sends more, and cost no system call.
      return SetInterest(interest_ & ~static_cast<uint32_t>(EPOLLIN));
    case Phase::kFlushing:
    case Phase::kFlushingLast:
    case Phase::kShut:
      if ((events & EPOLLIN) != 0 || broken) Discard();
      return;
    case Phase::kClosed:
      return;
  }
}

void Connection::ReadProxyHeader() {
  // Peeked at first: TLS must find its own bytes still in the socket.
  char bytes[512];
  const ssize_t n = recv(fd_, bytes, sizeof bytes, MSG_PEEK);
  if (n < 0 && WouldBlock()) return;
  if (n <= 0) return Lost(CloseReason::kProxy);
  size_t consumed = static_cast<size_t>(n);
  const auto result = proxy_->Feed({bytes, static_cast<size_t>(n)}, &consumed);
  if (result == ProxyHeaderParser::Result::kBad) return Lost(CloseReason::kProxy);
  if (recv(fd_, bytes, consumed, 0) != static_cast<ssize_t>(consumed)) {
    return Lost(CloseReason::kProxy);
  }
  loop_.counters().bytes_in.Add(consumed);
  if (result == ProxyHeaderParser::Result::kNeedMore) return;
  const std::unique_ptr<ProxyHeaderParser> done = std::move(proxy_);
  const ProxyHeader& header = done->header();
  phase_ = Phase::kOpen;
  if (header.is_local) return user_.OnProxied(nullptr);
  const auto client = SocketAddress::FromIp(header.source_address, header.source_port);
  if (!client) return Lost(CloseReason::kProxy);
  user_.OnProxied(&*client);
}

void Connection::Handshake() {
  const auto begin = std::chrono::steady_clock::now();
  const TlsStatus status = tls_->Handshake();
  const auto ns = std::chrono::steady_clock::now() - begin;
  // Long enough to be timed each time.
  loop_.counters().stage_us[static_cast<size_t>(Stage::kTls)].Add(
      static_cast<uint64_t>(ns.count()) / 1000);
  switch (status) {
    case TlsStatus::kOk:
      phase_ = Phase::kOpen;
      SetInterest(EPOLLIN);
      user_.OnTlsEstablished();
      if (phase_ == Phase::kOpen && tls_->HasPending() && user_.WantsInput()) Read();
      return;
    case TlsStatus::kWantRead:
      return SetInterest(EPOLLIN);
    case TlsStatus::kWantWrite:
      return SetInterest(EPOLLOUT);
    case TlsStatus::kClosed:
    case TlsStatus::kError:
      return Lost(CloseReason::kTls);
  }
}

TlsStatus Connection::Receive(char* buffer, size_t size, size_t* n) {
  if (tls_ != nullptr) {
    StageTimer timer(loop_.counters(), Stage::kTls);
    return tls_->Read(buffer, size, n);
  }
  StageTimer timer(loop_.counters(), Stage::kReceive);
  const ssize_t got = recv(fd_, buffer, size, 0);
  if (got > 0) {
    *n = static_cast<size_t>(got);
    return TlsStatus::kOk;
  }
  return got < 0 && WouldBlock() ? TlsStatus::kWantRead : TlsStatus::kClosed;
}

void Connection::Read() {
  std::vector<char>& buffer = loop_.read_buffer();
  size_t budget = kReadBudget;
  while (true) {
    size_t n = 0;
    const TlsStatus status = Receive(buffer.data(), buffer.size(), &n);
    if (status == TlsStatus::kWantRead || status == TlsStatus::kWantWrite) return;
    if (status == TlsStatus::kError) return Lost(CloseReason::kTls);
    if (status == TlsStatus::kClosed) return Lost(CloseReason::kSocket);
    loop_.counters().bytes_in.Add(n);
    user_.OnInput({buffer.data(), n});
    if (phase_ != Phase::kOpen || !user_.WantsInput()) return;
    if (tls_ == nullptr && n < buffer.size()) return;  // the socket is empty
    budget -= std::min(budget, n);
    if (budget == 0 && (tls_ == nullptr || !tls_->HasPending())) return;
  }
}

void Connection::Discard() {
  std::vector<char>& buffer = loop_.read_buffer();
  const ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
  if (n > 0 || (n < 0 && WouldBlock())) return;
  if (n == 0 && phase_ == Phase::kFlushing) {
    phase_ = Phase::kFlushingLast;
    return SetInterest(interest_ & ~static_cast<uint32_t>(EPOLLIN));
  }
  Lost(CloseReason::kSocket);
}

bool Connection::WriteSome() {
  size_t n = 0;
  if (tls_ != nullptr) {
    StageTimer timer(loop_.counters(), Stage::kTls);
    const TlsStatus status = tls_->Write(queue_.Front(), &n);
    if (status == TlsStatus::kClosed || status == TlsStatus::kError) {
      Lost(status == TlsStatus::kError ? CloseReason::kTls : CloseReason::kSocket);
      return false;
    }
    // kWantWrite: what was written before stands in `n` all the same.
  } else {
    StageTimer timer(loop_.counters(), Stage::kSend);
    iovec pieces[kPiecesAtOnce];
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<size_t>(queue_.Pieces(pieces, kPiecesAtOnce));
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && !WouldBlock()) {
      Lost(CloseReason::kSocket);
      return false;
    }
    n = sent > 0 ? static_cast<size_t>(sent) : 0;
  }
  if (n == 0) return false;
  queue_.Consume(loop_.chunks(), n);
  loop_.counters().bytes_out.Add(n);
  loop_.counters().write_queue_bytes.Sub(n);
  return true;
}

void Connection::Flush() {
  if (phase_ == Phase::kProxyHeader || phase_ == Phase::kTlsHandshake) return;
  while (fd_ >= 0 && !queue_.empty() && WriteSome()) {
  }
  if (fd_ < 0) return;
  if (queue_.empty()) {
    SetInterest(interest_ & ~static_cast<uint32_t>(EPOLLOUT));
    AfterFlush();
  } else {
    SetInterest(interest_ | EPOLLOUT);
  }
}

void Connection::AfterFlush() {
  if (phase_ == Phase::kFlushingLast) return Lost(CloseReason::kSocket);
  if (phase_ != Phase::kFlushing) return;
  if (tls_ != nullptr) tls_->Shutdown();
  shutdown(fd_, SHUT_WR);
  phase_ = Phase::kShut;
}

void Connection::RunTurnEnd(runtime::TurnEnd* end) {
  auto* self = static_cast<Connection*>(end);
  self->user_.OnTurnEnd();
  self->Flush();
}

void Connection::Lost(CloseReason reason) {
  Close();
  user_.OnLost(reason);
}

void Connection::SetInterest(uint32_t events) {
  if (events == interest_ || fd_ < 0) return;
  interest_ = events;
  loop_.loop().ModifyFd(fd_, events, this);
}

}  // namespace connmgr
