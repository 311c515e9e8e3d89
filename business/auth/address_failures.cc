#include "business/auth/address_failures.h"

#include <arpa/inet.h>

#include <cstring>
#include <utility>

namespace business {
namespace {

std::string_view WithoutPort(std::string_view address) {
  if (address.starts_with('[')) return address.substr(1, address.find(']') - 1);
  const size_t colon = address.find(':');
  // A second colon: an IPv6 address without brackets, and without a port.
  if (colon == std::string_view::npos || address.find(':', colon + 1) != std::string_view::npos) {
    return address;
  }
  return address.substr(0, colon);
}

}  // namespace

std::string AddressGroup(std::string_view peer_address) {
  std::string host(WithoutPort(peer_address));
  in6_addr v6;
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return host;
  char text[INET6_ADDRSTRLEN];
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    return inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof text) != nullptr ? text : host;
  }
  std::memset(&v6.s6_addr[8], 0, 8);
  return inet_ntop(AF_INET6, &v6, text, sizeof text) != nullptr ? text : host;
}

uint32_t AddressFailures::Count(std::string_view peer_address, uint64_t now_ms) const {
  const auto found = windows_.find(AddressGroup(peer_address));
  if (found == windows_.end() || now_ms >= found->second.opened_ms + kWindowMs) return 0;
  return found->second.failures;
}

void AddressFailures::Add(std::string_view peer_address, uint64_t now_ms) {
  ForgetOld(now_ms);
  std::string address = AddressGroup(peer_address);
  if (const auto found = windows_.find(address); found != windows_.end()) {
    ++found->second.failures;
    return;
  }
  by_age_.push_back(address);
  windows_.emplace(std::move(address), Window{now_ms, 1});
  if (windows_.size() > max_addresses_) {
    windows_.erase(by_age_.front());
    by_age_.pop_front();
  }
}

void AddressFailures::ForgetOld(uint64_t now_ms) {
  while (!by_age_.empty()) {
    const auto oldest = windows_.find(by_age_.front());
    if (now_ms < oldest->second.opened_ms + kWindowMs) return;
    windows_.erase(oldest);
    by_age_.pop_front();
  }
}

}  // namespace business
