// Effects that were already written to a session: what makes a repeated delivery harmless
// (R2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace connmgr {

// One per loop. A ring of the newest effects, at most 60 s old, with an index by hash. Its size is
// fixed: under a load that fills it faster, the oldest are forgotten first. Pages it never used
// cost no memory.
class EffectRing {
 public:
  static constexpr uint64_t kKeptMs = 60000;

  // `capacity`: a power of two. 2^18 entries take 7 MiB once they are all used.
  explicit EffectRing(size_t capacity = size_t{1} << 18);

  // True if `effect` (cluster id and index) was recorded for `connection` in the last 60 s.
  bool Seen(uint64_t connection, std::string_view effect, uint64_t now_ms) const;
  void Record(uint64_t connection, std::string_view effect, uint64_t now_ms);

 private:
  // 96 bits of a keyed hash tell effects apart; cluster ids are one (R2).
  struct Print {
    uint64_t high;
    uint32_t low;
    friend bool operator==(const Print&, const Print&) = default;
  };
  struct Entry {
    uint64_t high;
    uint32_t low;
    uint32_t tick;  // of 64 ms
    uint32_t older;  // position of the one before it in the same place of the index
  };

  static Print PrintOf(uint64_t connection, std::string_view effect);
  static uint32_t Tick(uint64_t now_ms) { return static_cast<uint32_t>(now_ms >> 6); }
  uint32_t& Newest(const Print& print) const { return newest_[print.low & mask_]; }

  const uint32_t mask_;
  const std::unique_ptr<Entry[]> entries_;  // position & mask; not initialised
  const std::unique_ptr<uint32_t[]> newest_;
  // Positions count on for ever (mod 2^32), from 1; those of the last mask_+1 are still there.
  uint32_t next_ = 1;
};

}  // namespace connmgr
