// One client of the load generator: logs in, then hands over whole stanzas.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/tls.h"
#include "lib/xmpp/sasl/server_exchange.h"

namespace bench {

struct Target {
  std::string host = "127.0.0.1";
  uint16_t port = 5222;
  std::string domain = "localhost";
  enum class Tls { kNone, kStartTls, kDirect } tls = Tls::kNone;
  std::string mechanism = "SCRAM-SHA-1";  // or SCRAM-SHA-256, PLAIN
  bool stream_management = false;         // XEP-0198: counts, asks and answers as clients do
};

// Lives on its loop.
class LoadClient : public runtime::FdHandler {
 public:
  struct Events {
    std::function<void(LoadClient&)> on_ready;                      // bound and available
    std::function<void(LoadClient&, std::string_view)> on_stanza;   // after that
    std::function<void(LoadClient&, std::string reason)> on_closed;  // last call
  };

  LoadClient(runtime::EventLoop* loop, const Target& target, int index, std::string user,
             std::string password, std::string source, Events* events);
  ~LoadClient() override;

  void Start();
  void Send(std::string_view bytes);  // leaves at the end of the turn
  // The same, of one stanza: now and then it is asked how many were handled.
  void SendStanza(std::string_view bytes);
  void Close();                        // </stream:stream>, then the socket
  int index() const { return index_; }
  const std::string& jid() const { return jid_; }
  bool ready() const { return state_ == State::kReady; }

 private:
  enum class State { kConnecting, kHeader, kTls, kAuth, kBind, kEnable, kReady, kClosed };

  void OnFdEvents(uint32_t events) override;
  void Read();
  void Flush();
  void Consume();
  void OnElement(std::string_view element);
  void Ready();
  bool OnCount(std::string_view element);  // true: it was one
  void SendHeader();
  void Authenticate();
  void StartTls();
  void Handshake();
  void Fail(std::string reason);
  void WantWrite(bool want);

  runtime::EventLoop* loop_;
  const Target& target_;
  int index_;
  std::string user_, password_, source_;
  Events* events_;
  int fd_ = -1;
  State state_ = State::kConnecting;
  bool authenticated_ = false;
  bool handshaking_ = false;
  bool want_write_ = false;
  uint32_t handled_ = 0, sent_ = 0;  // stanzas, as XEP-0198 counts
  std::unique_ptr<runtime::TlsSession> tls_;
  std::unique_ptr<xmpp::sasl::ScramClient> scram_;
  std::string in_, out_, jid_;
  struct FlushAtTurnEnd : runtime::TurnEnd {
    explicit FlushAtTurnEnd(LoadClient* c)
        : TurnEnd([](TurnEnd* end) { static_cast<FlushAtTurnEnd*>(end)->client->Flush(); }),
          client(c) {}
    LoadClient* client;
  } flush_{this};
};

// Length of the first complete first-level element (or stream header, or stream end) in `text`; 0 if
// none is complete. The servers' output is trusted: this is no XML parser.
size_t FirstElement(std::string_view text);

}  // namespace bench
