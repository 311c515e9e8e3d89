// One socket to one Redis server: pipelining, replies in order, deadlines, silence.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/redis_request.h"
#include "lib/runtime/redis_resolver.h"

struct redisReader;

namespace runtime {

// Lives on its loop. hiredis does the parsing (its reader builds our RedisReply directly); its
// asynchronous context is not used, because it resolves names on the loop and does not tell what
// was written from what was only queued.
class RedisConnection final : public FdHandler {
 public:
  // Any of these may close the connection, none may destroy it (hand it to EventLoop::Defer).
  class Owner {
   public:
    virtual ~Owner() = default;
    // Authenticated, and PING was answered.
    virtual void OnReady(RedisConnection* connection) = 0;
    virtual void OnReply(RedisConnection* connection, RedisRequest request, RedisReply reply) = 0;
    // Once: commands are outstanding and no byte came for the time of silence. OnSound: one did.
    virtual void OnSilent(RedisConnection* connection) = 0;
    virtual void OnSound(RedisConnection* connection) = 0;
    // Over. The connection's commands are in `unknown` (written) and `unsent`.
    virtual void OnLost(RedisConnection* connection, const std::string& reason, bool timed_out,
                        std::vector<RedisRequest> unknown, std::vector<RedisRequest> unsent) = 0;
  };

  RedisConnection(EventLoop* loop, const RedisOptions* options, std::string address, Owner* owner);
  ~RedisConnection() override;

  void Open();  // may call OnLost only later, in another turn
  // Silent: commands under way are dropped, no callback follows.
  void Abandon();

  bool ready() const { return state_ == State::kReady; }
  bool silent() const { return silent_; }
  size_t outstanding() const { return sent_.size(); }
  const std::string& address() const { return address_; }
  uint64_t writes() const { return writes_; }

  // Only when ready (or with the greeting). Leaves at the end of the turn.
  void Send(RedisRequest request, bool keep_args);

  void OnFdEvents(uint32_t events) override;

 private:
  enum class State { kIdle, kResolving, kConnecting, kGreeting, kReady, kClosed };
  struct Watch;
  struct Flusher;

  void Connect(const RedisSocketAddress& to);
  void Greet();
  void OnGreeting(const RedisReply& reply);
  void Append(const RedisClient::Args& args);
  void Flush();
  void Read();
  bool TakeReplies();
  void OnWatch();
  void ArmWatch();
  void Fail(const std::string& reason, bool timed_out = false);
  void CloseSocket();

  EventLoop* const loop_;
  const RedisOptions* const options_;
  const std::string address_;
  Owner* owner_;  // null once abandoned or lost
  State state_ = State::kIdle;
  int fd_ = -1;
  bool want_write_ = false;
  bool silent_ = false;
  std::unique_ptr<RedisResolution> resolution_;

  redisReader* reader_;
  RedisReply root_;  // what the reader is building

  std::string out_;
  size_t out_done_ = 0;           // of out_, written
  uint64_t stream_begin_ = 0;     // offset of out_[0] in the whole output
  RingQueue<RedisRequest> sent_;  // in the order of their replies
  size_t unstamped_ = 0;          // at its end, not written yet
  int greetings_ = 0;             // replies still due before ready
  uint64_t last_sound_ms_ = 0;    // a byte came, or the first command after a pause was sent
  uint64_t read_us_ = 0;
  uint64_t watch_due_ms_ = 0;
  uint64_t writes_ = 0;

  struct WatchTimer : Timer {
    explicit WatchTimer(RedisConnection* c);
    RedisConnection* connection;
  } watch_;
  struct FlushAtTurnEnd : TurnEnd {
    explicit FlushAtTurnEnd(RedisConnection* c);
    RedisConnection* connection;
  } flush_;
};

// Builds the RESP array of a command; for tests too.
void AppendRedisCommand(std::string* out, const RedisClient::Args& args);

}  // namespace runtime
