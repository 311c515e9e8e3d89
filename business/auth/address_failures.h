// Failed logins by address: who guesses passwords is answered slowly (tests/attacks, row 27).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace business {

// One per loop, lives on it; bounded. Addresses are "192.0.2.1:5000" or "[2001:db8::1]:5000"; the
// port does not count, and of IPv6 only the /64 does: that much is given to one customer.
class AddressFailures {
 public:
  static constexpr uint64_t kWindowMs = 60000;

  explicit AddressFailures(size_t max_addresses = 50000) : max_addresses_(max_addresses) {}

  // Failures within the window that the address's first one opened.
  uint32_t Count(std::string_view peer_address, uint64_t now_ms) const;
  void Add(std::string_view peer_address, uint64_t now_ms);
  size_t size() const { return windows_.size(); }

 private:
  struct Window {
    uint64_t opened_ms;
    uint32_t failures;
  };
  void ForgetOld(uint64_t now_ms);

  const size_t max_addresses_;
  absl::flat_hash_map<std::string, Window> windows_;
  std::deque<std::string> by_age_;  // the keys of windows_, the oldest window first
};

// What counts as one address: the host without its port, of IPv6 the first 64 bits.
std::string AddressGroup(std::string_view peer_address);

}  // namespace business
