// One Redis server as the client sees it: its connection, what waits for one, and its circuit.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/runtime/redis_connection.h"

namespace runtime {

// Lives on its loop. The circuit opens when the connection is silent with commands outstanding, or
// when none could be made for that long; from then on commands are refused at once. A fresh
// connection whose PING is answered closes it, and so does a byte on the old one.
class RedisNode final : public RedisConnection::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // A new connection is ready; commands that waited are sent after this returns.
    virtual void OnNodeReady(RedisNode* node) = 0;
    virtual void OnNodeReply(RedisNode* node, RedisRequest request, RedisReply reply) = 0;
    virtual void OnNodeRefused(RedisRequest request, Error error) = 0;
    virtual void OnNodeTrouble(RedisNode* node, const char* what, const std::string& reason) = 0;
  };

  RedisNode(EventLoop* loop, const RedisOptions* options, std::string address, bool keep_args,
            Owner* owner);
  ~RedisNode() override;

  void Start();
  // Sends it, lets it wait for a connection, or refuses it (OnNodeRefused in another turn end).
  void Send(RedisRequest request);
  // What waits for a connection: for when slots have moved.
  std::vector<RedisRequest> TakeWaiting();
  // Seen in a reply: the server cannot do what it should.
  void MarkImpaired(const RedisReply& reply);
  void MarkSound();

  RedisClient::State state() const;
  bool up() const { return state() == RedisClient::State::kUp; }
  uint64_t up_since_ms() const { return impaired_ ? 0 : up_since_ms_; }
  const std::string& address() const { return address_; }
  uint64_t writes() const;
  bool idle() const;

 private:
  void OnReady(RedisConnection* connection) override;
  void OnReply(RedisConnection* connection, RedisRequest request, RedisReply reply) override;
  void OnSilent(RedisConnection* connection) override;
  void OnSound(RedisConnection* connection) override;
  void OnLost(RedisConnection* connection, const std::string& reason, bool timed_out,
              std::vector<RedisRequest> unknown, std::vector<RedisRequest> unsent) override;

  void OpenFresh();
  void OpenFreshLater();
  void Discard(std::unique_ptr<RedisConnection> connection);
  void Refuse(RedisRequest request, Error error);
  void CloseCircuit();
  void ExpireWaiting();

  EventLoop* const loop_;
  const RedisOptions* const options_;
  const std::string address_;
  const bool keep_args_;
  Owner* const owner_;

  std::unique_ptr<RedisConnection> current_;               // takes commands
  std::unique_ptr<RedisConnection> fresh_;                 // being made
  std::vector<std::unique_ptr<RedisConnection>> retired_;  // replaced, answers may still come
  RingQueue<RedisRequest> waiting_;                        // bounded by max_outstanding
  bool circuit_open_ = false;
  bool impaired_ = false;
  uint64_t up_since_ms_ = 0;
  uint64_t down_since_ms_;
  uint64_t renewed_ms_ = 0;  // when READONLY last made us connect anew
  uint64_t old_writes_ = 0;
  int attempts_ = 0;

  struct NodeTimer : Timer {
    NodeTimer(RedisNode* n, Timer::Callback fire) : Timer(fire), node(n) {}
    RedisNode* node;
  };
  NodeTimer reconnect_, expire_;
};

}  // namespace runtime
