// The admin port of a process: health, metrics, drain (docs/operating.md), and the TCP agent port
// that HAProxy asks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/runtime/event_loop.h"

namespace runtime {

struct HttpRequest {
  std::string method, path, query, body, authorization;
  std::string peer_address;  // without port
  bool from_loopback = false;
  bool authorized = false;  // may change things: loopback (no browser) or the token
};
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// Readiness by named reasons: ready when no reason stands. Thread-safe.
class Health {
 public:
  // `/startupz` is 200 once every name in `steps` was marked done.
  explicit Health(std::vector<std::string> steps);
  ~Health();
  void StepDone(const std::string& step);
  bool started() const;
  void SetNotReady(const std::string& reason,
                   const std::string& detail);  // "draining", "no_business" …
  void ClearNotReady(const std::string& reason);
  bool ready() const;
  std::string ReadyJson() const;  // {"ready":false,"reasons":{"draining":"since …"}}
  std::string StartupJson() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Lives on `loop`. Serves /livez (every loop of `watched` turned within 5 s), /startupz, /readyz,
// /metrics, POST /drain, POST /undrain, POST /loglevel?level=, and what was added with Handle.
// POST: from loopback, or with `Authorization: Bearer <token>`. The built-in /drain only marks the
// process as not ready; a tier that has more to do replaces it with Handle.
//
// Start, Handle and SetAgentReply: any thread. Handlers run on the loop. Destroy it on the loop, or
// after the loop has stopped.
class AdminServer {
 public:
  struct Options {
    std::string http_address;   // "127.0.0.1:9101"; port 0 picks one
    std::string agent_address;  // HAProxy agent-check; empty = none
    std::string token;          // for POST from elsewhere; empty = loopback only
  };
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // nullptr with a log line when an address cannot be bound.
  static std::unique_ptr<AdminServer> Start(EventLoop* loop, Options options, Health* health,
                                            std::vector<LoopGroup*> watched);
  virtual ~AdminServer() = default;
  virtual void Handle(const std::string& method, const std::string& path, Handler handler) = 0;
  // What the agent port says: "up 100%\n", "drain\n", "down\n".
  virtual void SetAgentReply(std::function<std::string()> reply) = 0;
  virtual int http_port() const = 0;
  virtual int agent_port() const = 0;
};

}  // namespace runtime
