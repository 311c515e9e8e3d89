// The bytes of one client: its socket, PROXY header, TLS, and what is queued towards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "connmgr/loop_counters.h"
#include "connmgr/socket_address.h"
#include "connmgr/write_queue.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/tls.h"

namespace connmgr {

class ConnmgrLoop;
class ProxyHeaderParser;

// Who reads and writes the bytes: the stream. It may close the connection in any of these calls,
// but must not destroy it there.
class ConnectionUser {
 public:
  virtual bool WantsInput() const = 0;
  // Valid during the call. Whoever leaves something unread keeps it.
  virtual void OnInput(std::string_view bytes) = 0;
  // The PROXY header named the client; nullptr: it stands for the load balancer itself.
  virtual void OnProxied(const SocketAddress* client) = 0;
  virtual void OnTlsEstablished() = 0;
  // Once at the end of each turn in which something was sent or WakeAtTurnEnd was called; what is
  // queued is written after it.
  virtual void OnTurnEnd() = 0;
  // Last call: the peer is gone, or broke a rule below XMPP.
  virtual void OnLost(CloseReason reason) = 0;

 protected:
  ~ConnectionUser() = default;
};

// Lives on its connection's loop. Reads once a turn into the loop's own buffer, within a budget,
// and writes once at the turn's end: an idle connection holds no buffer.
class Connection final : private runtime::FdHandler, private runtime::TurnEnd {
 public:
  // Owns `fd`, which is non-blocking.
  Connection(ConnmgrLoop& loop, int fd, ConnectionUser& user);
  ~Connection() override;

  // One of these three begins; the last two also follow one another.
  void ExpectProxyHeader();
  void StartTls(runtime::TlsContext& context);  // nothing may be queued
  void StartPlain();

  void Send(std::string_view bytes);
  // `body` with ` to='…'` written in at `splice_offset`.
  void SendWithTo(std::string_view body, uint32_t splice_offset, std::string_view to);
  // Writes now what fits into the socket's buffer.
  void Flush();
  size_t queued() const { return queue_.bytes(); }
  void WakeAtTurnEnd();
  // WantsInput has become true again.
  void InputWanted();

  // Sends what is queued, then ends our side and drops what still comes, until the peer ends too:
  // closing at once would reset the connection and could take our last words with it.
  void ShutAfterFlush();
  void Close();
  bool open() const { return fd_ >= 0; }

  runtime::TlsSession* tls() const { return tls_.get(); }

 private:
  enum class Phase : uint8_t {
    kProxyHeader,
    kTlsHandshake,
    kOpen,
    kFlushing,      // ShutAfterFlush: something is still queued
    kFlushingLast,  // the same, and the peer has ended
    kShut,          // waiting for the peer's end
    kClosed,
  };

  void OnFdEvents(uint32_t events) override;
  static void RunTurnEnd(runtime::TurnEnd* end);

  void ReadProxyHeader();
  void Handshake();
  void Read();
  void Discard();
  runtime::TlsSession::Status Receive(char* buffer, size_t size, size_t* n);
  bool WriteSome();  // false: the socket is full or broken
  void AfterFlush();
  void Lost(CloseReason reason);
  void SetInterest(uint32_t events);

  ConnmgrLoop& loop_;
  ConnectionUser& user_;
  std::unique_ptr<runtime::TlsSession> tls_;
  std::unique_ptr<ProxyHeaderParser> proxy_;  // only while its header is awaited
  WriteQueue queue_;
  int fd_;
  uint32_t interest_ = 0;
  Phase phase_ = Phase::kOpen;
};

}  // namespace connmgr
