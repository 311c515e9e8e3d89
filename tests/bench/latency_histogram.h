// Latencies of a run: log-linear buckets, 1 µs to 17 minutes, ≤ 1.6 % wide.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace bench {

class LatencyHistogram {
 public:
  void Add(uint64_t us) {
    ++counts_[Index(us)];
    ++total_;
  }
  uint64_t total() const { return total_; }
  // Microseconds below which `share` (0…1) of the values lie; 0 if there are none.
  uint64_t Quantile(double share) const {
    auto rank = static_cast<uint64_t>(share * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return Value(i);
    }
    return 0;
  }

 private:
  static constexpr int kBits = 6;  // 64 steps an octave
  static size_t Index(uint64_t us) {
    if (us < (1u << kBits)) return us;
    int octave = std::bit_width(us) - 1 - kBits;
    size_t index = static_cast<size_t>((octave + 1) << kBits) + ((us >> octave) & ((1u << kBits) - 1));
    return index < kBuckets ? index : kBuckets - 1;
  }
  static uint64_t Value(size_t index) {
    if (index < (1u << kBits)) return index;
    int octave = static_cast<int>(index >> kBits) - 1;
    return ((uint64_t{1} << kBits) | (index & ((1u << kBits) - 1))) << octave;
  }
  static constexpr size_t kBuckets = 26u << kBits;
  std::array<uint64_t, kBuckets> counts_{};
  uint64_t total_ = 0;
};

}  // namespace bench
