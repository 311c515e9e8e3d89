#include "connmgr/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace connmgr {
namespace {

// Sections are those of HAProxy's doc/proxy-protocol.txt.
constexpr std::string_view kV1Prefix = "PROXY ";
constexpr std::string_view kV2Signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedBytes = 16;
constexpr size_t kIpv4Bytes = 2 * 4 + 2 * 2;
constexpr size_t kIpv6Bytes = 2 * 16 + 2 * 2;
constexpr size_t kUnixBytes = 2 * 108;

// §2.2: version and command, family and transport.
constexpr uint8_t kVersion2 = 0x20;
constexpr uint8_t kLocal = 0;
constexpr uint8_t kProxy = 1;
constexpr uint8_t kUnspecified = 0x00;
constexpr uint8_t kTcp4 = 0x11;
constexpr uint8_t kTcp6 = 0x21;
constexpr uint8_t kUnixStream = 0x31;

// §2.2.1 and following.
constexpr uint8_t kTlvAlpn = 0x01;
constexpr uint8_t kTlvAuthority = 0x02;
constexpr uint8_t kTlvCrc32c = 0x03;
constexpr uint8_t kTlvUniqueId = 0x05;

uint8_t ByteAt(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint16_t Uint16At(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(ByteAt(bytes, at) << 8 | ByteAt(bytes, at + 1));
}

uint32_t Uint32At(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Uint16At(bytes, at)) << 16 | Uint16At(bytes, at + 2);
}

constexpr std::array<uint32_t, 256> kCrc32cTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0x82F63B78 ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}();

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc = kCrc32cTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  }
  return ~crc;
}

std::string WriteAddress(int family, const void* raw) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family, raw, text, sizeof text) != nullptr ? text : "";
}

// Version 1's text, brought to one spelling; nullopt unless it is an address of that family.
std::optional<std::string> ReadAddress(int family, std::string_view text) {
  in6_addr raw{};
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos ||
      inet_pton(family, std::string(text).c_str(), &raw) != 1) {
    return std::nullopt;
  }
  return WriteAddress(family, &raw);
}

std::optional<uint16_t> ReadPort(std::string_view text) {
  uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || leading_zero) {
    return std::nullopt;
  }
  return port;
}

// Cuts the next word off the front of `line`; words stand one space apart.
std::string_view Word(std::string_view& line) {
  const size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

}  // namespace

ProxyHeaderParser::Result ProxyHeaderParser::Feed(std::string_view bytes, size_t* consumed) {
  *consumed = 0;
  while (state_ < State::kDone && *consumed < bytes.size()) {
    const std::string_view rest = bytes.substr(*consumed);
    const size_t taken = std::min(Wanted(rest), rest.size());
    buffer_.append(rest.substr(0, taken));
    *consumed += taken;
    state_ = Advance();
    if (state_ >= State::kDone) std::string().swap(buffer_);
  }
  if (state_ == State::kDone) return Result::kDone;
  return state_ == State::kBad ? Result::kBad : Result::kNeedMore;
}

// How many bytes the present state may take without touching what is not the header's.
size_t ProxyHeaderParser::Wanted(std::string_view bytes) const {
  switch (state_) {
    case State::kLine: {
      const size_t end = bytes.find('\n');
      const size_t line = end == std::string_view::npos ? bytes.size() : end + 1;
      return std::min(line, kMaxV1Bytes - buffer_.size());
    }
    case State::kFixed:
      return kFixedBytes - buffer_.size();
    case State::kBody:
      return kFixedBytes + body_bytes_ - buffer_.size();
    default:
      return 1;
  }
}

ProxyHeaderParser::State ProxyHeaderParser::Advance() {
  switch (state_) {
    case State::kSignature:
      return AfterSignature();
    case State::kLine:
      if (buffer_.back() == '\n') return ReadLine() ? State::kDone : State::kBad;
      return buffer_.size() < kMaxV1Bytes ? State::kLine : State::kBad;
    case State::kFixed:
      return buffer_.size() < kFixedBytes ? State::kFixed : AfterFixed();
    case State::kBody:
      if (buffer_.size() < kFixedBytes + body_bytes_) return State::kBody;
      return ReadBody() ? State::kDone : State::kBad;
    case State::kDone:
    case State::kBad:
      break;
  }
  return state_;
}

ProxyHeaderParser::State ProxyHeaderParser::AfterSignature() const {
  if (kV1Prefix.starts_with(buffer_)) {
    return buffer_.size() == kV1Prefix.size() ? State::kLine : State::kSignature;
  }
  if (kV2Signature.starts_with(buffer_)) {
    return buffer_.size() == kV2Signature.size() ? State::kFixed : State::kSignature;
  }
  return State::kBad;
}

ProxyHeaderParser::State ProxyHeaderParser::AfterFixed() {
  const uint8_t command = ByteAt(buffer_, 12) & 0x0F;
  body_bytes_ = Uint16At(buffer_, 14);
  if ((ByteAt(buffer_, 12) & 0xF0) != kVersion2 || command > kProxy || body_bytes_ > kMaxV2Body) {
    return State::kBad;
  }
  if (body_bytes_ > 0) return State::kBody;
  return ReadBody() ? State::kDone : State::kBad;
}

// §2.1: PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CR LF
bool ProxyHeaderParser::ReadLine() {
  std::string_view line = buffer_;
  if (!line.ends_with("\r\n")) return false;
  line.remove_prefix(kV1Prefix.size());
  line.remove_suffix(2);
  if (line.find('\r') != std::string_view::npos) return false;
  const std::string_view family = Word(line);
  if (family == "UNKNOWN") {  // what follows is to be ignored
    header_.is_local = true;
    return true;
  }
  if (family != "TCP4" && family != "TCP6") return false;
  const int kind = family == "TCP4" ? AF_INET : AF_INET6;
  if (std::count(line.begin(), line.end(), ' ') != 3) return false;
  std::optional<std::string> source = ReadAddress(kind, Word(line));
  std::optional<std::string> destination = ReadAddress(kind, Word(line));
  const std::optional<uint16_t> source_port = ReadPort(Word(line));
  const std::optional<uint16_t> destination_port = ReadPort(Word(line));
  if (!source || !destination || !source_port || !destination_port) return false;
  header_.source_address = std::move(*source);
  header_.source_port = *source_port;
  header_.destination_address = std::move(*destination);
  header_.destination_port = *destination_port;
  return true;
}

bool ProxyHeaderParser::ReadBody() {
  const uint8_t command = ByteAt(buffer_, 12) & 0x0F;
  const uint8_t family = ByteAt(buffer_, 13);
  const char* at = buffer_.data() + kFixedBytes;
  if (command == kLocal || family == kUnspecified) {  // §2.2: skipped, whatever it holds
    header_.is_local = true;
    return true;
  }
  if (family == kTcp4 && body_bytes_ >= kIpv4Bytes) {
    header_.source_address = WriteAddress(AF_INET, at);
    header_.destination_address = WriteAddress(AF_INET, at + 4);
    header_.source_port = Uint16At(buffer_, kFixedBytes + 8);
    header_.destination_port = Uint16At(buffer_, kFixedBytes + 10);
    return ReadTlvs(kFixedBytes + kIpv4Bytes);
  }
  if (family == kTcp6 && body_bytes_ >= kIpv6Bytes) {
    header_.source_address = WriteAddress(AF_INET6, at);
    header_.destination_address = WriteAddress(AF_INET6, at + 16);
    header_.source_port = Uint16At(buffer_, kFixedBytes + 32);
    header_.destination_port = Uint16At(buffer_, kFixedBytes + 34);
    return ReadTlvs(kFixedBytes + kIpv6Bytes);
  }
  if (family == kUnixStream && body_bytes_ >= kUnixBytes) {
    header_.is_local = true;
    return ReadTlvs(kFixedBytes + kUnixBytes);
  }
  return false;  // datagrams, families nobody defined, addresses cut short
}

// Known types stand once; unknown ones are passed over.
bool ProxyHeaderParser::ReadTlvs(size_t at) {
  bool seen[kTlvUniqueId + 1] = {};
  std::optional<size_t> crc_at;
  while (at < buffer_.size()) {
    if (buffer_.size() - at < 3) return false;
    const uint8_t type = ByteAt(buffer_, at);
    const size_t length = Uint16At(buffer_, at + 1);
    at += 3;
    if (buffer_.size() - at < length) return false;
    const std::string_view value = std::string_view(buffer_).substr(at, length);
    if (type == kTlvAlpn || type == kTlvAuthority || type == kTlvCrc32c || type == kTlvUniqueId) {
      if (seen[type]) return false;
      seen[type] = true;
    }
    if (type == kTlvAlpn) header_.alpn = value;
    if (type == kTlvAuthority) header_.authority = value;
    if (type == kTlvUniqueId) {
      if (length > kMaxUniqueId) return false;
      header_.unique_id = value;
    }
    if (type == kTlvCrc32c) {
      if (length != 4) return false;
      crc_at = at;
    }
    at += length;
  }
  if (!crc_at) return true;
  // §2.2.4: over the whole header, the checksum's own bytes being zero.
  const uint32_t given = Uint32At(buffer_, *crc_at);
  std::string zeroed = buffer_;
  std::fill_n(zeroed.begin() + static_cast<std::ptrdiff_t>(*crc_at), 4, '\0');
  return Crc32c(zeroed) == given;
}

}  // namespace connmgr
