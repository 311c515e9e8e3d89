// The numbers of a session with stream management (XEP-0198), as its manager knows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace connmgr {

// A stanza for the client, as OnDeliver takes it.
struct NumberedStanza {
  std::string body;
  uint32_t splice_offset = 0;
  std::string to;
};

// Lives in its LinkSession. What the business tier numbers (out_seq) is written in that order and
// without a gap, whoever pushed it and when; what is missing is pulled. A manager counts, and
// confirms only what was accepted.
class StreamManagement {
 public:
  // Pushes that came before their turn, at most; others are pulled.
  static constexpr size_t kMaxHeld = 64;
  static constexpr size_t kMaxHeldBytes = 256 << 10;
  // The client is asked after so many stanzas; earlier by time.
  static constexpr uint64_t kAskEvery = 10;

  // `base`: in_seq of <enable/>. `confirmed`: by the client, before this connection.
  StreamManagement(uint64_t base, uint64_t confirmed)
      : base_(base), written_(confirmed), confirmed_(confirmed), newest_(confirmed),
        asked_(confirmed) {}

  // --- from the client to us

  uint32_t Count(uint64_t accepted) const {
    return static_cast<uint32_t>(accepted < base_ ? 0 : accepted - base_);
  }
  // <r/>: to be answered once `in_seq` is accepted; 0 = nobody asks.
  uint64_t answer_at = 0;

  // --- from us to the client

  uint64_t written() const { return written_; }
  uint64_t confirmed() const { return confirmed_; }
  uint64_t next() const { return written_ + 1; }
  // The outbox has more than was written.
  bool behind() const { return newest_ > written_; }
  // The outbox goes up to `out_seq` at least.
  void HeardOf(uint64_t out_seq) {
    if (out_seq > newest_) newest_ = out_seq;
  }
  // Keeps a push that comes too early, if there is room.
  void Hold(uint64_t out_seq, NumberedStanza stanza);
  // The next one, if it is held.
  std::optional<NumberedStanza> TakeNext();
  bool HoldsNext() const { return !held_.empty() && held_.begin()->first == next(); }
  void Wrote();
  // It could not be written after all: it is pulled again.
  void DropHeld();

  enum class Confirmation { kNew, kOld, kTooHigh };
  // <a h=''/>, modulo 2^32.
  Confirmation Confirm(uint32_t h);
  // What was sent, as the wire counts.
  uint32_t Sent() const { return static_cast<uint32_t>(written_); }

  // Has so much been written that the client should be asked? `now`: some time has passed.
  bool ShouldAsk(bool now) const {
    return written_ > asked_ && written_ > confirmed_ && (now || written_ - asked_ >= kAskEvery);
  }
  void Asked() { asked_ = written_; }

  uint64_t pull_ms = 0;  // when it was pulled last and not answered yet; 0 = not under way
  bool look = false;     // in the list of those to be looked at soon
  bool ask_late = false; // in the list of those to be asked when some time has passed
  bool force = false;    // pull even if nothing more is known of

 private:
  const uint64_t base_;
  uint64_t written_, confirmed_, newest_, asked_;
  std::map<uint64_t, NumberedStanza> held_;
  size_t held_bytes_ = 0;
};

}  // namespace connmgr
