// What one event loop counts. Written by its loop only, read by the metrics page from any thread:
// no counter is shared between loops, so none costs a cache line's journey.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "lib/xmpp/stream_error.h"

namespace connmgr {

class LoopCounter {
 public:
  void Add(uint64_t n = 1) { Set(value() + n); }
  void Sub(uint64_t n = 1) { Set(value() - n); }
  void Set(uint64_t v) { value_.store(v, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

enum class ConnectionKind : uint8_t { kTcp, kStartTls, kDirectTls };
inline constexpr size_t kConnectionKinds = 3;

// States as an operator cares about them.
enum class Phase : uint8_t { kConnecting, kNegotiating, kSession, kClosing };
inline constexpr size_t kPhases = 4;

// Why a connection was not accepted, or accepted later.
enum class Refusal : uint8_t { kRate, kHandshakes, kConnections, kDescriptors, kAddress, kProxy };
inline constexpr size_t kRefusals = 6;

// Why a connection ended.
enum class CloseReason : uint8_t {
  kStreamEnd,      // the client said </stream:stream>
  kSocket,         // the peer is gone
  kStreamError,    // we said a stream error
  kSlowConsumer,   // its write queue was full
  kTimeout,        // PROXY, TLS or negotiation took too long
  kTls,            // the handshake or a record failed
  kProxy,          // no or a bad PROXY header
  kRefused,        // too many from one address
  kOrder,          // business ended it
  kDrain,
};
inline constexpr size_t kCloseReasons = 10;

// Where CPU time goes (sampled, one operation in 64).
enum class Stage : uint8_t { kReceive, kTls, kFraming, kSend };
inline constexpr size_t kStages = 4;

const char* Name(ConnectionKind kind);
const char* Name(Phase phase);
const char* Name(Refusal refusal);
const char* Name(CloseReason reason);
const char* Name(Stage stage);

struct LoopCounters {
  static constexpr size_t kConditions =
      static_cast<size_t>(xmpp::StreamCondition::kUnsupportedVersion) + 1;

  std::array<std::array<LoopCounter, kPhases>, kConnectionKinds> connections;  // gauges
  LoopCounter accepted;
  std::array<LoopCounter, kRefusals> refused;
  LoopCounter handshakes_done, handshakes_resumed, handshakes_failed;
  std::array<std::array<LoopCounter, 5>, 2> stanzas;  // [0 in, 1 out][StanzaKind]
  std::array<LoopCounter, kConditions> stream_errors;
  std::array<LoopCounter, kCloseReasons> closes;
  LoopCounter bytes_in, bytes_out;
  LoopCounter write_queue_bytes;  // gauge
  LoopCounter invalid_stanzas, auth_failures, window_full, rate_pauses;
  std::array<LoopCounter, kStages> stage_us;  // of all operations, scaled up from the sampled ones

  // Copied from BusinessLinks a few times a second.
  LoopCounter live_links, up_links, sessions, closing_sessions, unaccepted;
  LoopCounter link_frames_out, link_items_out, link_bytes_out, link_frames_in, link_items_in;
  LoopCounter link_resubmitted, link_rehomed, link_duplicates, link_not_here, links_lost;
};

// Times one operation in 64 of a stage.
class StageTimer {
 public:
  StageTimer(LoopCounters& counters, Stage stage)
      : counter_(counters.stage_us[static_cast<size_t>(stage)]) {
    thread_local uint32_t turn = 0;
    sampled_ = (++turn & 63) == 0;
    if (sampled_) begin_ = std::chrono::steady_clock::now();
  }
  ~StageTimer() {
    if (!sampled_) return;
    const auto ns = std::chrono::steady_clock::now() - begin_;
    counter_.Add(static_cast<uint64_t>(ns.count()) * 64 / 1000);
  }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  LoopCounter& counter_;
  bool sampled_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace connmgr
