// Redis on an event loop: pipelined by itself, with deadlines and a circuit breaker.
#pragma once

#include <absl/functional/any_invocable.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace runtime {

// A reply of RESP2, owned. An error reply of Redis (WRONGTYPE, a script's error_reply …) comes as
// kind kError inside a Result that has a value; a Result without value means no reply at all.
struct RedisReply {
  enum class Kind : uint8_t { kNil, kInteger, kString, kStatus, kError, kArray };
  Kind kind = Kind::kNil;
  int64_t integer = 0;
  std::string text;               // string, status, error
  std::vector<RedisReply> array;  // kArray

  bool IsNil() const { return kind == Kind::kNil; }
  bool IsError() const { return kind == Kind::kError; }
};

// An error reply that says "not now" (LOADING, MASTERDOWN, READONLY, OOM, CLUSTERDOWN, TRYAGAIN,
// BUSY, NOREPLICAS, MISCONF): nothing was done and the same command may succeed later.
bool IsTransient(const RedisReply& reply);

// A script known by name: sent as EVALSHA, as EVAL after NOSCRIPT. Define as a namespace-scope
// constant; the SHA-1 is computed once.
class RedisScript {
 public:
  RedisScript(const char* name, std::string source);
  const char* name() const { return name_; }
  const std::string& source() const { return source_; }
  const std::string& sha1() const { return sha1_; }

 private:
  const char* name_;
  std::string source_;
  std::string sha1_;  // hex
};

struct RedisOptions {
  std::vector<std::string> addresses;  // "host:port" or "unix:/path"; several = cluster seeds
  bool cluster = false;                // slot routing: CRC16, MOVED, ASK
  std::string username, password;      // AUTH; empty = none
  std::chrono::milliseconds command_deadline{2000};
  std::chrono::milliseconds silence{1000};  // no byte while commands are outstanding: circuit opens
  std::chrono::milliseconds reconnect_min{50}, reconnect_max{2000};  // exponential, full jitter
  uint32_t max_outstanding = 20000;  // more are refused with kUnavailable
};

// One per loop; lives on it. Commands issued in one turn leave in one write; order is kept per
// connection. After a time-out the command's outcome is kUnknown, after a refusal kUnavailable.
// `done` is never called from inside the call that takes it; destroying the client drops the
// callbacks of commands under way uncalled.
class RedisClient {
 public:
  using Args = std::vector<std::string>;
  using Reply = Result<RedisReply>;
  using Callback = absl::AnyInvocable<void(Reply)>;

  enum class State {
    kConnecting,
    kUp,
    kOpen,  // circuit open: commands are refused until a probe answers
  };

  virtual ~RedisClient() = default;
  static std::unique_ptr<RedisClient> Create(EventLoop* loop, RedisOptions options);

  // `key` routes in a cluster (its hash tag decides); commands without a key go to any node.
  // `args` is the whole command, binary-safe.
  virtual void Command(std::string_view key, Args args, Callback done) = 0;
  // EVALSHA sha numkeys keys… args…; all `keys` in one slot.
  virtual void Eval(const RedisScript& script, Args keys, Args args, Callback done) = 0;
  // The same as coroutines.
  Task<Reply> Command(std::string key, Args args);
  Task<Reply> Eval(const RedisScript& script, Args keys, Args args);
  // Every master, in cluster mode; the one server otherwise. For INFO, SCAN, marker keys.
  virtual void OnEachMaster(Args args, absl::AnyInvocable<void(std::vector<Reply>)> done) = 0;
  // One hash tag per master, such that a key "…{tag}…" lives on it; stable while slots do not move.
  // Empty while the masters are not known. Without a cluster: one tag.
  virtual std::vector<std::string> MasterTags() const = 0;
  // True when all commands take one connection: what is issued first is executed first.
  virtual bool KeepsOrder() const = 0;

  virtual State state() const = 0;
  // Since when (loop ms) every master has answered without a break; 0 = not whole.
  virtual uint64_t whole_since_ms() const = 0;
  // Called on the loop at each new connection, before any queued command is sent on it, with the
  // node's address: where the generation is checked. At most one.
  virtual void OnConnected(absl::AnyInvocable<void(const std::string& address)> hook) = 0;

  // Upper bounds; one more bucket than bounds.
  static constexpr std::array<uint64_t, 14> kLatencyBucketsUs{
      50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000};
  struct Stats {
    uint64_t commands = 0, replies = 0, timeouts = 0, refused = 0, reconnects = 0, writes = 0;
    uint64_t errors = 0, redirects = 0, circuit_opened = 0;
    uint64_t outstanding = 0;
    uint64_t latency_us_sum = 0;               // from the write to the reply
    std::vector<uint64_t> latency_us_buckets;  // not cumulative
  };
  virtual Stats stats() const = 0;  // any thread
};

// CRC16 slot of a key, honouring {hash tags}. 0–16383.
uint16_t RedisSlot(std::string_view key);

}  // namespace runtime
