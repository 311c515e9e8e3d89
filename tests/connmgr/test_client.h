// A client's socket in the hands of a test: raw bytes, with or without TLS.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connmgr/socket_address.h"
#include "lib/runtime/tls.h"

namespace connmgr {

class TestClient {
 public:
  static constexpr std::chrono::seconds kPatience{10};

  explicit TestClient(uint16_t port, int receive_buffer = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer != 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const auto address = SocketAddress::FromIp("127.0.0.1", port);
    EXPECT_EQ(connect(fd_, address->get(), address->size()), 0);
  }
  ~TestClient() { Close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  void Close() {
    tls_.reset();
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      size_t n = 0;
      if (tls_ != nullptr) {
        if (tls_->Write(bytes, &n) != runtime::TlsSession::Status::kOk) return;
      } else {
        const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;  // what the server closed may be written to
        n = static_cast<size_t>(sent);
      }
      bytes.remove_prefix(n);
    }
  }
  // Without waiting: how much the socket took.
  size_t TrySend(std::string_view bytes) {
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? 0 : static_cast<size_t>(n);
  }

  // Everything up to and with `end`; with a failure, what came instead.
  std::string ReadTo(std::string_view end) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (unread_.find(end) == std::string::npos) {
      if (ended_ || !ReadSome(deadline)) {
        ADD_FAILURE() << "no " << end << " in: " << unread_;
        return std::exchange(unread_, {});
      }
    }
    const size_t size = unread_.find(end) + end.size();
    std::string text = unread_.substr(0, size);
    unread_.erase(0, size);
    return text;
  }
  // Everything until the server has closed.
  std::string ReadToEnd() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!ended_) {
      if (!ReadSome(deadline)) {
        ADD_FAILURE() << "not closed; so far: " << unread_;
        break;
      }
    }
    return std::exchange(unread_, {});
  }
  bool reset() const { return reset_; }

  // The handshake; false if it fails.
  bool StartTls(const std::string& alpn = {}) {
    tls_ = runtime::TlsSession::Connect(fd_, "example.test", alpn, "");
    return tls_->Handshake() == runtime::TlsSession::Status::kOk;
  }

  // `behind` goes out in the same write.
  void OpenStream(const std::string& behind = {}) {
    Send(
        "<?xml version='1.0'?><stream:stream to='example.test' version='1.0' "
        "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" +
        behind);
  }
  // On a server without TLS, up to the bound resource.
  void LogIn() {
    OpenStream();
    ReadTo("</stream:features>");
    Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>");
    ReadTo("<success");
    ReadTo("/>");
    OpenStream();
    ReadTo("</stream:features>");
    Send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    ReadTo("<iq type='result' id='b'/>");
  }

 private:
  // false: nothing came in time.
  bool ReadSome(std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waited{fd_, POLLIN, 0};
    if (tls_ == nullptr || !tls_->HasPending()) {
      if (left.count() <= 0 || poll(&waited, 1, static_cast<int>(left.count())) <= 0) return false;
    }
    char bytes[16384];
    if (tls_ != nullptr) {
      size_t n = 0;
      const auto status = tls_->Read(bytes, sizeof bytes, &n);
      ended_ = status == runtime::TlsSession::Status::kClosed ||
               status == runtime::TlsSession::Status::kError;
      unread_.append(bytes, n);
      return true;
    }
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n > 0) {
      unread_.append(bytes, static_cast<size_t>(n));
    } else {
      ended_ = true;
      reset_ = n < 0;
    }
    return true;
  }

  int fd_;
  bool ended_ = false;
  bool reset_ = false;
  std::string unread_;
  std::unique_ptr<runtime::TlsSession> tls_;
};

}  // namespace connmgr
