// Addresses of sockets: "host:port" text, what a peer is called, and networks a load balancer may be in.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connmgr {

// An IPv4 or IPv6 address with its port. Immutable value.
class SocketAddress {
 public:
  SocketAddress() = default;
  // "127.0.0.1:5222", "[::1]:5222", "localhost:5222", "*:5222" (any IPv4 and IPv6 address). Names are
  // resolved. nullopt when it is none of these.
  static std::optional<SocketAddress> Parse(std::string_view text);
  // An address as inet_ntop writes it.
  static std::optional<SocketAddress> FromIp(const std::string& ip, uint16_t port);
  static SocketAddress From(const sockaddr_storage& storage, socklen_t size);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }
  uint16_t port() const;
  void set_port(uint16_t port);

  std::string ToString() const;  // "192.0.2.1:5000", "[2001:db8::1]:5000"
  std::string Host() const;      // without port and brackets
  // Sixteen bytes, IPv4 mapped into IPv6: what is compared and counted.
  std::array<uint8_t, 16> Key() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// "127.0.0.0/8", "2001:db8::/32", or one address.
class Network {
 public:
  static std::optional<Network> Parse(std::string_view text);
  bool Contains(const SocketAddress& address) const;

 private:
  std::array<uint8_t, 16> base_{};
  int prefix_ = 128;  // of the mapped form
};

}  // namespace connmgr
