#include "lib/runtime/admin_server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>

#include "lib/runtime/check.h"
#include "lib/runtime/http_parser.h"
#include "lib/runtime/json_text.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"

namespace runtime {
namespace {

using std::chrono_literals::operator""s;

constexpr size_t kMaxConnections = 64;
constexpr auto kIdleTime = 30s;     // between requests
constexpr auto kRequestTime = 10s;  // for one request and its reply
constexpr uint64_t kStuckMs = 5000;

HttpResponse Problem(int status, std::string_view what) {
  return {status, "application/json", "{\"error\":" + JsonString(what) + "}\n"};
}

// A path of plain segments: nothing encoded, no dots to walk with.
bool PlainPath(std::string_view path) {
  if (path.empty() || path[0] != '/' || path.size() > 256) return false;
  for (char c : path) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '/' || c == '-' || c == '_' || c == '.' || c == '~';
    if (!plain) return false;
  }
  return path.find("//") == std::string_view::npos && path.find("/.") == std::string_view::npos;
}

bool SameToken(std::string_view authorization, const std::string& token) {
  constexpr std::string_view kBearer = "Bearer ";
  if (token.empty() || !authorization.starts_with(kBearer)) return false;
  authorization.remove_prefix(kBearer.size());
  return authorization.size() == token.size() &&
         CRYPTO_memcmp(authorization.data(), token.data(), token.size()) == 0;
}

void DescribePeer(const sockaddr_storage& peer, std::string* address, bool* loopback) {
  char text[INET6_ADDRSTRLEN] = {};
  if (peer.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(peer);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    *loopback = ntohl(in.sin_addr.s_addr) >> 24 == 127;
  } else if (peer.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(peer);
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
    *loopback = IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) ||
                (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) && in.sin6_addr.s6_addr[12] == 127);
  }
  *address = text;
}

// What the peer said and nobody will read: closing over it would reset the reply on its way.
void DiscardInput(int fd) {
  char discarded[4096];
  for (int i = 0; i < 32 && recv(fd, discarded, sizeof discarded, MSG_DONTWAIT) > 0; ++i) {
  }
}

// A listening socket for "host:port" or "[v6]:port"; -1 and a log line when it cannot be.
int Listen(const std::string& address, int* port) {
  size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  std::string error = "no port in the address";
  int fd = -1;
  if (colon != std::string::npos) {
    int code = getaddrinfo(host.empty() ? nullptr : host.c_str(), address.c_str() + colon + 1,
                           &hints, &found);
    error = code != 0 ? gai_strerror(code) : "";
  }
  if (found != nullptr) {
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
      error = std::strerror(errno);
      if (fd >= 0) close(fd);
      fd = -1;
    }
    *port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                              : reinterpret_cast<sockaddr_in&>(bound).sin_port);
    freeaddrinfo(found);
  }
  if (fd < 0) {
    LogError("admin_listen", "cannot listen on the admin address",
             {{"address", address}, {"err", error}});
  }
  return fd;
}

class AdminServerImpl;

// One HTTP connection. Lives on the server's loop.
class HttpConnection : public FdHandler {
 public:
  HttpConnection(AdminServerImpl* server, EventLoop* loop, int fd, const sockaddr_storage& peer);
  ~HttpConnection() override;
  void OnFdEvents(uint32_t events) override;

 private:
  struct Timeout : Timer {
    explicit Timeout(HttpConnection* c) : Timer(&Fire), connection(c) {}
    static void Fire(Timer* timer);
    HttpConnection* connection;
  };
  bool ReadSome();   // false: the peer is gone
  void AnswerAll();  // every whole request that is there
  bool Flush();      // false: gone, or all is said
  void Answer(const HttpResponse& response, bool head_only, bool keep);

  AdminServerImpl* server_;
  EventLoop* loop_;
  int fd_;
  std::string peer_;
  bool loopback_ = false;
  HttpParser parser_;
  std::string in_, out_;
  bool closing_ = false;  // after what is in out_
  Timeout timeout_{this};
};

// A listening socket on the loop.
class Listener : public FdHandler {
 public:
  Listener(EventLoop* loop, int fd, std::function<void(int, const sockaddr_storage&)> accepted)
      : loop_(loop), fd_(fd), accepted_(std::move(accepted)) {
    loop_->AddFd(fd_, EPOLLIN, this);
  }
  ~Listener() override {
    loop_->RemoveFd(fd_, this);
    close(fd_);
  }
  void OnFdEvents(uint32_t) override {
    for (int i = 0; i < 16; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      int fd =
          accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      accepted_(fd, peer);
    }
  }

 private:
  EventLoop* loop_;
  int fd_;
  std::function<void(int, const sockaddr_storage&)> accepted_;
};

class AdminServerImpl : public AdminServer {
 public:
  AdminServerImpl(EventLoop* loop, Options options, Health* health, std::vector<LoopGroup*> watched)
      : loop_(loop), options_(std::move(options)), health_(health), watched_(std::move(watched)) {
    AddBuiltIns();
  }

  bool Open() {
    int http = Listen(options_.http_address, &http_port_);
    if (http < 0) return false;
    int agent = -1;
    if (!options_.agent_address.empty()) {
      agent = Listen(options_.agent_address, &agent_port_);
      if (agent < 0) {
        close(http);
        return false;
      }
    }
    http_ = std::make_unique<Listener>(loop_, http, [this](int fd, const sockaddr_storage& peer) {
      if (connections_.size() >= kMaxConnections) {
        close(fd);
        return;
      }
      auto connection = std::make_unique<HttpConnection>(this, loop_, fd, peer);
      HttpConnection* key = connection.get();
      connections_.emplace(key, std::move(connection));
    });
    if (agent >= 0) {
      agent_ = std::make_unique<Listener>(
          loop_, agent, [this](int fd, const sockaddr_storage&) { AnswerAgent(fd); });
    }
    return true;
  }

  void Handle(const std::string& method, const std::string& path, Handler handler) override {
    std::lock_guard lock(mutex_);
    routes_[path][method] = std::move(handler);
  }
  void SetAgentReply(std::function<std::string()> reply) override {
    std::lock_guard lock(mutex_);
    agent_reply_ = std::move(reply);
  }
  int http_port() const override { return http_port_; }
  int agent_port() const override { return agent_port_; }

  void Forget(HttpConnection* connection) {
    // The connection may be in the middle of its own function.
    auto found = connections_.find(connection);
    if (found == connections_.end()) return;
    std::shared_ptr<HttpConnection> last = std::move(found->second);
    connections_.erase(found);
    loop_->Defer([last] {});
  }

  // One router for everything, denying by default: path, then method, then right.
  HttpResponse Route(HttpRequest& request, bool from_browser, std::string* allow) {
    if (!PlainPath(request.path)) return Problem(400, "the path is not in plain form");
    std::string method = request.method == "HEAD" ? "GET" : request.method;
    Handler handler;
    {
      std::lock_guard lock(mutex_);
      auto route = routes_.find(request.path);
      if (route == routes_.end()) return Problem(404, "no such path");
      auto found = route->second.find(method);
      if (found == route->second.end()) {
        for (const auto& [name, unused] : route->second) {
          *allow += (allow->empty() ? "" : ", ") + name;
        }
        return Problem(405, "this path does not take this method");
      }
      handler = found->second;
    }
    // A browser on this host is driven by whatever page it shows, so Origin needs the token too.
    request.authorized = SameToken(request.authorization, options_.token) ||
                         (request.from_loopback && !from_browser);
    if (method != "GET" && !request.authorized) {
      return Problem(403, "only from loopback or with the token");
    }
    try {
      return handler(request);
    } catch (const std::exception& e) {
      LogError("admin_handler", "a handler of the admin port threw",
               {{"path", request.path}, {"err", e.what()}});
      return Problem(500, "internal error");
    }
  }

 private:
  void AddBuiltIns() {
    Handle("GET", "/livez", [this](const HttpRequest&) { return Live(); });
    Handle("GET", "/startupz", [this](const HttpRequest&) {
      return HttpResponse{health_->started() ? 200 : 503, "application/json",
                          health_->StartupJson()};
    });
    Handle("GET", "/readyz", [this](const HttpRequest&) { return Ready(); });
    Handle("GET", "/metrics", [](const HttpRequest&) {
      return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", Metrics::Get().Text()};
    });
    Handle("POST", "/drain", [this](const HttpRequest&) {
      health_->SetNotReady("draining", "since " + std::to_string(time(nullptr)));
      LogInfo("drain", "draining by request");
      return HttpResponse{200, "application/json", health_->ReadyJson()};
    });
    Handle("POST", "/undrain", [this](const HttpRequest&) {
      health_->ClearNotReady("draining");
      LogInfo("undrain", "draining ended by request");
      return HttpResponse{200, "application/json", health_->ReadyJson()};
    });
    Handle("POST", "/loglevel", [](const HttpRequest& request) {
      constexpr std::string_view kName = "level=";
      std::string_view query = request.query;
      std::optional<LogLevel> level;
      if (query.starts_with(kName)) level = ParseLogLevel(query.substr(kName.size()));
      if (!level) return Problem(400, "give ?level=debug, info, warn or error");
      SetLogLevel(*level);
      return HttpResponse{200, "application/json",
                          "{\"level\":" + JsonString(LogLevelName(*level)) + "}\n"};
    });
    agent_reply_ = [this] { return std::string(health_->ready() ? "up 100%\n" : "drain\n"); };
  }

  HttpResponse Ready() const {
    bool ready = health_->ready();
    return {ready ? 200 : 503, "application/json", health_->ReadyJson()};
  }

  HttpResponse Live() const {
    uint64_t now = EventLoop::MonotonicMs(), oldest = 0;
    for (LoopGroup* group : watched_) {
      for (int i = 0; i < group->size(); ++i) {
        uint64_t last = group->at(i).stats().last_turn_ms.load(std::memory_order_relaxed);
        if (last != 0 && last < now) oldest = std::max(oldest, now - last);
      }
    }
    bool live = oldest < kStuckMs;
    return {live ? 200 : 503, "application/json",
            std::string("{\"live\":") + (live ? "true" : "false") +
                ",\"oldest_turn_ms\":" + std::to_string(oldest) + "}\n"};
  }

  // HAProxy's agent-check: one line, then the end.
  void AnswerAgent(int fd) {
    std::function<std::string()> say;
    {
      std::lock_guard lock(mutex_);
      say = agent_reply_;
    }
    std::string reply = say();
    DiscardInput(fd);
    ssize_t n = send(fd, reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;  // a fresh socket takes one line, or the peer is gone
    shutdown(fd, SHUT_WR);
    close(fd);
  }

  EventLoop* loop_;
  Options options_;
  Health* health_;
  std::vector<LoopGroup*> watched_;
  std::mutex mutex_;  // of the two below: `main` adds handlers while the loop runs
  std::map<std::string, std::map<std::string, Handler>> routes_;  // path → method
  std::function<std::string()> agent_reply_;
  std::map<HttpConnection*, std::unique_ptr<HttpConnection>> connections_;
  std::unique_ptr<Listener> http_, agent_;
  int http_port_ = 0, agent_port_ = 0;
};

HttpConnection::HttpConnection(AdminServerImpl* server, EventLoop* loop, int fd,
                               const sockaddr_storage& peer)
    : server_(server), loop_(loop), fd_(fd) {
  DescribePeer(peer, &peer_, &loopback_);
  loop_->AddFd(fd_, EPOLLIN, this);
  loop_->Arm(&timeout_, kRequestTime);
}

HttpConnection::~HttpConnection() {
  loop_->RemoveFd(fd_, this);
  close(fd_);
}

void HttpConnection::Timeout::Fire(Timer* timer) {
  HttpConnection* connection = static_cast<Timeout*>(timer)->connection;
  connection->server_->Forget(connection);
}

void HttpConnection::OnFdEvents(uint32_t events) {
  bool alive = true;
  if ((events & EPOLLIN) != 0 && !closing_) {
    alive = ReadSome();
  } else if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    alive = false;
  }
  alive = alive && Flush();
  if (alive) {
    AnswerAll();
    alive = Flush();
  }
  if (!alive) server_->Forget(this);
}

bool HttpConnection::ReadSome() {
  char buffer[16384];
  ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
  if (n > 0) in_.append(buffer, static_cast<size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void HttpConnection::AnswerAll() {
  // Pipelined requests wait until the replies before them are written.
  while (!closing_ && out_.empty() && !in_.empty()) {
    if (!parser_.Consume(&in_)) {
      if (parser_.status() != 0) Answer(Problem(parser_.status(), "bad request"), false, false);
      return;
    }
    HttpRequest request = parser_.request();
    request.peer_address = peer_;
    request.from_loopback = loopback_;
    bool head = request.method == "HEAD";
    std::string allow;
    HttpResponse response = server_->Route(request, parser_.from_browser(), &allow);
    bool keep = parser_.keep_alive();
    Answer(response, head, keep);
    if (!allow.empty()) out_.insert(out_.find("\r\n") + 2, "Allow: " + allow + "\r\n");
    parser_.Reset();
    loop_->Arm(&timeout_, keep ? kIdleTime : kRequestTime);
    if (!Flush()) return;
  }
}

void HttpConnection::Answer(const HttpResponse& response, bool head_only, bool keep) {
  out_ += "HTTP/1.1 " + std::to_string(response.status) + " " + HttpReason(response.status) +
          "\r\nContent-Type: " + response.content_type +
          "\r\nContent-Length: " + std::to_string(response.body.size()) +
          "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: " +
          (keep ? "keep-alive" : "close") + "\r\n\r\n";
  if (!head_only) out_ += response.body;
  closing_ = !keep;
}

bool HttpConnection::Flush() {
  while (!out_.empty()) {
    ssize_t n = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return false;
    out_.erase(0, static_cast<size_t>(n));
  }
  if (out_.empty() && closing_) {
    shutdown(fd_, SHUT_WR);
    DiscardInput(fd_);
    return false;
  }
  loop_->ModifyFd(fd_, out_.empty() ? EPOLLIN : EPOLLOUT, this);
  return true;
}

}  // namespace

std::unique_ptr<AdminServer> AdminServer::Start(EventLoop* loop, Options options, Health* health,
                                                std::vector<LoopGroup*> watched) {
  auto server =
      std::make_unique<AdminServerImpl>(loop, std::move(options), health, std::move(watched));
  if (!server->Open()) return nullptr;
  return server;
}

}  // namespace runtime
