#include "tests/bench/load_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/runtime/check.h"

namespace bench {
namespace {

// Between the first `open` and the following `close`.
std::string_view Between(std::string_view text, std::string_view open, std::string_view close) {
  size_t begin = text.find(open);
  if (begin == std::string_view::npos) return {};
  begin += open.size();
  size_t end = text.find(close, begin);
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin);
}

// Character data of an element without children: "<challenge …>DATA</challenge>".
std::string_view Content(std::string_view element) {
  size_t begin = element.find('>');
  size_t end = element.rfind("</");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return element.substr(begin + 1, end - begin - 1);
}

}  // namespace

size_t FirstElement(std::string_view text) {
  size_t at = 0;
  int depth = 0;
  while (true) {
    size_t open = text.find('<', at);
    if (open == std::string_view::npos) return 0;
    size_t close = text.find('>', open);
    if (close == std::string_view::npos) return 0;
    at = close + 1;
    if (text[open + 1] == '?') continue;  // XML declaration: goes with what follows
    if (text[open + 1] == '/') {
      --depth;
    } else if (text[close - 1] != '/') {
      ++depth;
      if (depth == 1 && text.substr(open, 14) == "<stream:stream") return at;
    }
    if (depth <= 0) return at;
  }
}

LoadClient::LoadClient(runtime::EventLoop* loop, const Target& target, int index, std::string user,
                       std::string password, std::string source, Events* events)
    : loop_(loop),
      target_(target),
      index_(index),
      user_(std::move(user)),
      password_(std::move(password)),
      source_(std::move(source)),
      events_(events) {}

LoadClient::~LoadClient() {
  if (fd_ >= 0) {
    loop_->RemoveFd(fd_, this);
    close(fd_);
  }
}

void LoadClient::Start() {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  CHECK(fd_ >= 0);
  int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (!source_.empty()) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    inet_pton(AF_INET, source_.c_str(), &from.sin_addr);
    setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(target_.port);
  inet_pton(AF_INET, target_.host.c_str(), &to.sin_addr);
  int result = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
  CHECK(result == 0 || errno == EINPROGRESS);
  want_write_ = true;
  loop_->AddFd(fd_, EPOLLIN | EPOLLOUT, this);
}

void LoadClient::WantWrite(bool want) {
  if (want == want_write_ || fd_ < 0) return;
  want_write_ = want;
  loop_->ModifyFd(fd_, want ? EPOLLIN | EPOLLOUT : EPOLLIN, this);
}

void LoadClient::OnFdEvents(uint32_t events) {
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Fail(std::string("connect: ") + std::strerror(error));
    WantWrite(false);
    state_ = State::kHeader;
    if (target_.tls == Target::Tls::kDirect) {
      StartTls();
    } else {
      SendHeader();
    }
    return;
  }
  if (handshaking_) return Handshake();
  if ((events & EPOLLOUT) != 0) Flush();
  if (fd_ >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Read();
}

void LoadClient::StartTls() {
  tls_ = runtime::TlsSession::Connect(fd_, target_.domain,
                                      target_.tls == Target::Tls::kDirect ? "xmpp-client" : "", "");
  handshaking_ = true;
  state_ = State::kTls;
  Handshake();
}

void LoadClient::Handshake() {
  switch (tls_->Handshake()) {
    case runtime::TlsSession::Status::kOk:
      handshaking_ = false;
      WantWrite(false);
      in_.clear();
      SendHeader();
      return;
    case runtime::TlsSession::Status::kWantRead:
      return WantWrite(false);
    case runtime::TlsSession::Status::kWantWrite:
      return WantWrite(true);
    default:
      return Fail("TLS: " + tls_->Error());
  }
}

void LoadClient::Read() {
  char buffer[65536];
  while (fd_ >= 0) {
    size_t n = 0;
    if (tls_) {
      auto status = tls_->Read(buffer, sizeof buffer, &n);
      if (status == runtime::TlsSession::Status::kWantRead) break;
      if (status != runtime::TlsSession::Status::kOk) return Fail("closed by the server");
    } else {
      ssize_t r = recv(fd_, buffer, sizeof buffer, 0);
      if (r < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (r <= 0) return Fail("closed by the server");
      n = static_cast<size_t>(r);
    }
    in_.append(buffer, n);
    if (!tls_ && n < sizeof buffer) break;
  }
  Consume();
}

void LoadClient::Consume() {
  size_t done = 0;
  while (fd_ >= 0 && !handshaking_) {
    size_t n = FirstElement(std::string_view(in_).substr(done));
    if (n == 0) break;
    std::string_view element = std::string_view(in_).substr(done, n);
    done += n;
    while (!element.empty() && element.front() != '<') element.remove_prefix(1);
    OnElement(element);
    if (state_ == State::kTls) return;  // STARTTLS: what was read is void
  }
  if (done > 0) in_.erase(0, done);
}

void LoadClient::SendHeader() {
  state_ = State::kHeader;
  Send("<?xml version='1.0'?><stream:stream to='" + target_.domain +
       "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
}

void LoadClient::Authenticate() {
  state_ = State::kAuth;
  std::string first;
  if (target_.mechanism == "PLAIN") {
    first = std::string(1, '\0') + user_ + std::string(1, '\0') + password_;
  } else {
    auto hash = target_.mechanism == "SCRAM-SHA-1" ? xmpp::sasl::Hash::kSha1 : xmpp::sasl::Hash::kSha256;
    scram_ = std::make_unique<xmpp::sasl::ScramClient>(hash, user_, password_);
    first = scram_->First();
  }
  Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + target_.mechanism + "'>" +
       xmpp::sasl::EncodeBase64(first) + "</auth>");
}

void LoadClient::OnElement(std::string_view element) {
  if (state_ == State::kReady) {
    if (element.starts_with("<stream:error")) return Fail(std::string(element));
    if (element.starts_with("</stream:stream")) return Fail("stream ended");
    if (target_.stream_management && OnCount(element)) return;
    return events_->on_stanza(*this, element);
  }
  if (element.starts_with("<?xml") || element.starts_with("<stream:stream")) return;
  if (element.starts_with("<stream:features")) {
    if (target_.tls == Target::Tls::kStartTls && !tls_) {
      return Send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    }
    if (!authenticated_) return Authenticate();
    state_ = State::kBind;
    return Send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>load</resource>"
                "</bind></iq>");
  }
  if (element.starts_with("<proceed")) {
    loop_->Defer([this] { StartTls(); });
    state_ = State::kTls;
    in_.clear();
    return;
  }
  if (element.starts_with("<challenge")) {
    auto raw = xmpp::sasl::DecodeBase64(Content(element));
    auto answer = raw ? scram_->Final(*raw) : std::nullopt;
    if (!answer) return Fail("SCRAM: bad challenge");
    return Send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + xmpp::sasl::EncodeBase64(*answer) +
                "</response>");
  }
  if (element.starts_with("<success")) {
    authenticated_ = true;
    scram_.reset();
    return SendHeader();
  }
  if (state_ == State::kBind && element.starts_with("<iq") && element.find("<jid>") != std::string_view::npos) {
    jid_ = Between(element, "<jid>", "</jid>");
    if (!target_.stream_management) return Ready();
    state_ = State::kEnable;
    return Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
  }
  if (state_ == State::kEnable && element.starts_with("<enabled")) return Ready();
  Fail("unexpected " + std::string(element));
}

void LoadClient::Ready() {
  state_ = State::kReady;
  Send("<presence/>");
  events_->on_ready(*this);
}

bool LoadClient::OnCount(std::string_view element) {
  if (element.starts_with("<r ") || element.starts_with("<r/")) {
    Send("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(handled_) + "'/>");
    return true;
  }
  if (element.starts_with("<a ")) return true;
  ++handled_;
  return false;
}

void LoadClient::SendStanza(std::string_view bytes) {
  Send(bytes);
  constexpr uint32_t kAskEvery = 5;
  if (target_.stream_management && ++sent_ % kAskEvery == 0) Send("<r xmlns='urn:xmpp:sm:3'/>");
}

void LoadClient::Send(std::string_view bytes) {
  if (fd_ < 0) return;
  out_.append(bytes);
  loop_->ScheduleTurnEnd(&flush_);
}

void LoadClient::Flush() {
  while (!out_.empty() && fd_ >= 0) {
    size_t n = 0;
    if (tls_) {
      auto status = tls_->Write(out_, &n);
      if (status == runtime::TlsSession::Status::kWantWrite) return WantWrite(true);
      if (status != runtime::TlsSession::Status::kOk) return Fail("write failed");
    } else {
      ssize_t r = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (r < 0 && errno == EAGAIN) return WantWrite(true);
      if (r < 0) return Fail("write failed");
      n = static_cast<size_t>(r);
    }
    out_.erase(0, n);
  }
  WantWrite(false);
}

void LoadClient::Close() {
  if (fd_ < 0) return;
  Send("</stream:stream>");
  Flush();
  if (fd_ < 0) return;
  loop_->RemoveFd(fd_, this);
  close(fd_);
  fd_ = -1;
  state_ = State::kClosed;
}

void LoadClient::Fail(std::string reason) {
  if (fd_ < 0) return;
  loop_->RemoveFd(fd_, this);
  close(fd_);
  fd_ = -1;
  state_ = State::kClosed;
  events_->on_closed(*this, std::move(reason));
}

}  // namespace bench
