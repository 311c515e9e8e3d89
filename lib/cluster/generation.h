// Redis generations (R11): told apart by replication id and a marker key, numbered in SQL.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "lib/runtime/redis_client.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace cluster {

// Where the number lives; the store implements it.
class GenerationStore {
 public:
  virtual ~GenerationStore() = default;
  struct State {
    uint64_t generation = 0;
    // "<replication id>.<token>" of each master when it was raised, as in their markers
    std::string fingerprint;
  };
  virtual runtime::Task<runtime::Result<State>> Read() = 0;
  // Raises the generation to `from` + 1 with `fingerprint` if it is still `from`; answers what then
  // stands. Two servers that see the same loss raise it once.
  virtual runtime::Task<runtime::Result<State>> Raise(uint64_t from, std::string fingerprint) = 0;
};

// One per business process, on its loop 0. Checks at start, at each new Redis connection and every
// second: INFO replication's master_replid and the marker key of each master. When either does not
// fit what SQL says, writes the markers and raises the generation. Takes the client's OnConnected.
class GenerationKeeper {
 public:
  // `on_generation` is called on the loop with each number, the first one too.
  GenerationKeeper(runtime::EventLoop* loop, runtime::RedisClient* redis, GenerationStore* store,
                   absl::AnyInvocable<void(uint64_t generation)> on_generation,
                   std::chrono::milliseconds check_every = std::chrono::milliseconds(1000));
  ~GenerationKeeper();
  void Start();
  uint64_t generation() const;  // 0 until known

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cluster
