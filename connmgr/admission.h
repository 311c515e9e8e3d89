// Who may come in: overload is a state with rules (performance rule 10), not a surprise.
#pragma once

#include <absl/container/node_hash_map.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "connmgr/loop_counters.h"
#include "connmgr/settings.h"
#include "connmgr/token_bucket.h"

namespace connmgr {

// One per process, shared by the loops. Thread-safe; touched when a connection comes, is admitted
// and goes, never on the stanza path.
class Admission {
 public:
  // `descriptors`: how many sockets the process may hold (its limit less what it needs itself).
  Admission(const Settings& settings, uint64_t descriptors);

  // kIgnored: a listener that closes takes who is in its queue at once.
  enum class Pace : uint8_t { kKept, kIgnored };
  // Before accept(): nullopt means come in (counted), a refusal means try again soon. Nobody is
  // reset: they wait in the kernel's queue.
  std::optional<Refusal> MayAccept(uint64_t now_ms, Pace pace = Pace::kKept);
  // The accept() itself failed or the connection has ended.
  void Leave();

  // A connection negotiates (TLS, login) from its acceptance on, until it has a session, ends, or
  // keeps us waiting: slow strangers must not hold the door shut.
  void BeginHandshake() { handshakes_.fetch_add(1, std::memory_order_relaxed); }
  void EndHandshake() { handshakes_.fetch_sub(1, std::memory_order_relaxed); }

  // Per address, once it is known (behind a PROXY header that is later).
  using AddressKey = std::array<uint8_t, 16>;
  bool limits_addresses() const { return per_address_ != 0 || address_rate_ != 0; }
  bool EnterAddress(const AddressKey& key, uint64_t now_ms);
  void LeaveAddress(const AddressKey& key);

  uint64_t connections() const { return connections_.load(std::memory_order_relaxed); }
  uint64_t handshakes() const { return handshakes_.load(std::memory_order_relaxed); }
  uint64_t capacity() const { return capacity_; }
  bool AtLimit() const { return connections() >= capacity_; }

 private:
  struct AddressEntry {
    uint32_t connections = 0;
    TokenBucket rate;
  };

  const uint64_t capacity_;
  const Refusal capacity_refusal_;
  const uint64_t max_handshakes_;
  const uint32_t per_address_;
  const uint32_t address_rate_;
  std::atomic<uint64_t> connections_{0};
  std::atomic<uint64_t> handshakes_{0};

  std::mutex mutex_;  // the rest
  TokenBucket rate_;
  absl::node_hash_map<AddressKey, AddressEntry> addresses_;
  size_t sweep_at_ = 1024;
};

// How many client sockets this process may hold: RLIMIT_NOFILE, raised as far as allowed, less
// `reserved` and what is open now.
uint64_t DescriptorsForClients(uint32_t reserved);

}  // namespace connmgr
