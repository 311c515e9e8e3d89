// Long bidirectional streams of byte frames between processes, over gRPC, without gRPC's headers.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/runtime/event_loop.h"

namespace runtime {

// mTLS between the tiers: paths of PEM files. Empty = plaintext, allowed on loopback only.
struct RpcCredentials {
  std::string certificate, key, ca;
  bool empty() const { return certificate.empty(); }
};

// How well completions come in batches: completions / wakeups.
struct RpcStats {
  uint64_t completions = 0, wakeups = 0;
};

// How what gRPC has done reaches the loops. kThreads: a thread for each loop waits for it and wakes
// the loop. kPolledByLoop: the process's only loop asks gRPC itself, and nothing costs a thread
// switch.
enum class RpcCompletions { kThreads, kPolledByLoop };
// Once, in main, before there are other threads or anything else of this file. kPolledByLoop if the
// process has one loop and gRPC can be polled (its epoll1 engine, a version that we know), unless
// XYLEM_RPC_COMPLETIONS=threads. Without this call, and once a second loop has a client or a
// server: kThreads.
RpcCompletions PrepareRpc(int loops);

// One stream. Lives on the loop it was handed to; all callbacks come on that loop. Frames keep
// their order both ways. One write is in flight at a time: Send only while writable().
class RpcStream {
 public:
  struct Events {
    // One received frame (a serialised protobuf message). Valid during the call.
    absl::AnyInvocable<void(std::string_view frame)> on_frame;
    // The write in flight completed: Send may be called again.
    absl::AnyInvocable<void()> on_writable;
    // The stream is over; `reason` for the log. Last call. Never from inside Send or Close.
    absl::AnyInvocable<void(std::string reason)> on_closed;
  };

  // Cancels if still open; no callback follows. Never from inside its own on_frame or on_writable:
  // what runs there would be destroyed under its feet. End of the turn, or on_closed, is the place.
  virtual ~RpcStream() = default;
  virtual void Start(Events events) = 0;
  virtual bool writable() const = 0;
  virtual void Send(std::string frame) = 0;  // CHECKs writable()
  // Orderly end: the client half-closes, the server finishes with OK. on_closed follows.
  virtual void Close() = 0;
  virtual const std::string& peer() const = 0;           // address as gRPC names it
  virtual const std::string& peer_identity() const = 0;  // certificate's common name; empty: no TLS
};

// The client's side of a loop: one completion queue, drained as PrepareRpc says.
class RpcClient {
 public:
  virtual ~RpcClient() = default;
  static std::unique_ptr<RpcClient> Create(EventLoop* loop, RpcCredentials credentials);
  // `method` "/xylem.v1.ConnmgrBusiness/Attach". Each call is a channel of its own. Keepalive
  // 10 s / 5 s. A failed connection ends in on_closed, after 3 s at the latest. `server_name`: what
  // the peer's certificate must be for; empty = the host in `address`. Destroy streams first.
  virtual std::unique_ptr<RpcStream> Open(const std::string& address, const std::string& method,
                                          const std::string& server_name = {}) = 0;
  virtual RpcStats stats() const = 0;  // any thread
};

// The server: generic streaming methods handed to loops in turn; unary calls (control traffic only)
// go to a handler.
class RpcServer {
 public:
  struct Options {
    std::string address;  // "host:port"; port 0 picks one
    RpcCredentials credentials;
    uint32_t max_frame_bytes = 4 << 20;
  };
  using Accept = std::function<void(EventLoop& loop, std::unique_ptr<RpcStream> stream)>;
  // `respond` may be called from any thread, once: grpc status code (0 = OK), message, response.
  using Respond = absl::AnyInvocable<void(int code, std::string message, std::string response)>;
  using Unary = std::function<void(const std::string& method, std::string request,
                                   const std::string& authorization, Respond respond)>;

  virtual ~RpcServer() = default;
  // `accept` runs on the loop that the stream was given to. `unary` gets every other method
  // ("/xylem.v1.Admin/ListUsers") with the `authorization` metadata, on a thread that streams wait
  // for: it hands over and returns. Errors: address in use → nullptr with a log line.
  static std::unique_ptr<RpcServer> Start(Options options, LoopGroup* loops,
                                          std::vector<std::string> stream_methods, Accept accept,
                                          Unary unary);
  virtual int port() const = 0;
  // Stops accepting, cancels what is open; returns when done. From no loop's thread. Streams still
  // held get their on_closed if their loop runs on, and none otherwise.
  virtual void Shutdown() = 0;
  virtual RpcStats stats() const = 0;  // any thread
};

}  // namespace runtime
