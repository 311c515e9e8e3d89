// The header a load balancer writes before a client's bytes: PROXY protocol, versions 1 and 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace connmgr {

struct ProxyHeader {
  // No client stands behind this connection, or none with an IP address (v1 UNKNOWN, v2 LOCAL,
  // UNSPEC and UNIX): the socket's own addresses hold, all below but the TLVs is empty.
  bool is_local = false;
  std::string source_address;  // as inet_ntop writes it
  uint16_t source_port = 0;
  std::string destination_address;
  uint16_t destination_port = 0;
  // Version 2's TLVs, as they came; empty = not given.
  std::string alpn;
  std::string authority;  // the name the client asked for (SNI)
  std::string unique_id;
};

// Reads one header, byte by byte if need be, and not one byte more. Lives on its connection's loop.
// Whether the peer may send a header at all, and how long it may take, is the listener's to decide.
class ProxyHeaderParser {
 public:
  enum class Result : uint8_t {
    kNeedMore,  // all of `bytes` belongs to the header
    kDone,      // header() is complete; bytes from `*consumed` on are the client's
    kBad,       // not a header we take: close without a word (tests/attacks, row 45)
  };

  static constexpr size_t kMaxV1Bytes = 107;  // with CRLF
  static constexpr size_t kMaxV2Body = 4096;  // behind the 16 fixed bytes
  static constexpr size_t kMaxUniqueId = 128;

  Result Feed(std::string_view bytes, size_t* consumed);
  const ProxyHeader& header() const { return header_; }

 private:
  enum class State : uint8_t { kSignature, kLine, kFixed, kBody, kDone, kBad };

  size_t Wanted(std::string_view bytes) const;
  State Advance();
  State AfterSignature() const;
  State AfterFixed();
  bool ReadLine();
  bool ReadBody();
  bool ReadTlvs(size_t at);

  State state_ = State::kSignature;
  uint16_t body_bytes_ = 0;  // version 2
  std::string buffer_;       // the header so far
  ProxyHeader header_;
};

}  // namespace connmgr
