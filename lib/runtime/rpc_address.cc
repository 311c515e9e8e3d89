#include "lib/runtime/rpc_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <string>

namespace runtime {
namespace {

bool IsPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Without the port, and without an IPv6 address's brackets. nullopt: neither host nor host:port.
std::optional<std::string> HostOf(std::string_view address) {
  if (address.starts_with('[')) {
    const size_t end = address.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = address.substr(end + 1);
    if (!rest.empty() && (rest[0] != ':' || !IsPort(rest.substr(1)))) return std::nullopt;
    return std::string(address.substr(1, end - 1));
  }
  const size_t colon = address.find(':');
  if (colon != std::string_view::npos && !IsPort(address.substr(colon + 1))) return std::nullopt;
  return std::string(address.substr(0, colon));
}

}  // namespace

bool IsLoopback(std::string_view address) {
  if (address.starts_with("unix:")) return true;
  const std::optional<std::string> host = HostOf(address);
  if (!host) return false;
  if (address.starts_with('[')) {
    in6_addr v6;
    return inet_pton(AF_INET6, host->c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
  }
  if (*host == "localhost") return true;
  in_addr v4;
  return inet_pton(AF_INET, host->c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

}  // namespace runtime
