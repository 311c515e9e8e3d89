#include "connmgr/socket_address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace connmgr {
namespace {

std::optional<int> ParseNumber(std::string_view text, int max) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > max) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::array<uint8_t, 16>> ParseIp(const std::string& text, bool* v4) {
  std::array<uint8_t, 16> bytes{};
  in_addr four;
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &four, 4);
    *v4 = true;
    return bytes;
  }
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    *v4 = false;
    return bytes;
  }
  return std::nullopt;
}

}  // namespace

std::optional<SocketAddress> SocketAddress::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string host(text.substr(0, colon));
  const std::string port(text.substr(colon + 1));
  if (!ParseNumber(port, 65535)) return std::nullopt;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || host == "*") host = "::";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  // A name with both families ("localhost") means IPv4: that is what health checks use.
  const addrinfo* chosen = found;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    if (a->ai_family == AF_INET) {
      chosen = a;
      break;
    }
  }
  SocketAddress address;
  std::memcpy(&address.storage_, chosen->ai_addr, chosen->ai_addrlen);
  address.size_ = chosen->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

std::optional<SocketAddress> SocketAddress::FromIp(const std::string& ip, uint16_t port) {
  SocketAddress address;
  auto* four = reinterpret_cast<sockaddr_in*>(&address.storage_);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage_);
  if (inet_pton(AF_INET, ip.c_str(), &four->sin_addr) == 1) {
    address.storage_.ss_family = AF_INET;
    address.size_ = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, ip.c_str(), &six->sin6_addr) == 1) {
    address.storage_.ss_family = AF_INET6;
    address.size_ = sizeof(sockaddr_in6);
  } else {
    return std::nullopt;
  }
  address.set_port(port);
  return address;
}

SocketAddress SocketAddress::From(const sockaddr_storage& storage, socklen_t size) {
  SocketAddress address;
  address.storage_ = storage;
  address.size_ = size;
  return address;
}

uint16_t SocketAddress::port() const {
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
}

void SocketAddress::set_port(uint16_t port) {
  if (family() == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
  }
}

std::array<uint8_t, 16> SocketAddress::Key() const {
  std::array<uint8_t, 16> key{};
  if (family() == AF_INET) {
    key[10] = key[11] = 0xff;
    std::memcpy(key.data() + 12, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, 4);
  } else if (family() == AF_INET6) {
    std::memcpy(key.data(), &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, 16);
  }
  return key;
}

std::string SocketAddress::Host() const {
  static constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto key = Key();
  char text[INET6_ADDRSTRLEN] = "";
  if (std::equal(kMapped.begin(), kMapped.end(), key.begin())) {
    inet_ntop(AF_INET, key.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, key.data(), text, sizeof text);
  }
  return text;
}

std::string SocketAddress::ToString() const {
  if (size_ == 0) return "";
  std::string host = Host();
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return host + ":" + std::to_string(port());
}

std::optional<Network> Network::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  bool v4 = false;
  const auto base = ParseIp(std::string(text.substr(0, slash)), &v4);
  if (!base) return std::nullopt;
  Network network;
  network.base_ = *base;
  if (slash != std::string_view::npos) {
    const auto prefix = ParseNumber(text.substr(slash + 1), v4 ? 32 : 128);
    if (!prefix) return std::nullopt;
    network.prefix_ = *prefix + (v4 ? 96 : 0);
  }
  return network;
}

bool Network::Contains(const SocketAddress& address) const {
  const auto key = address.Key();
  int bits = prefix_;
  for (size_t i = 0; i < key.size() && bits > 0; ++i, bits -= 8) {
    const int mask = bits >= 8 ? 0xff : (0xff00 >> bits) & 0xff;
    if ((key[i] & mask) != (base_[i] & mask)) return false;
  }
  return true;
}

}  // namespace connmgr
