#include "connmgr/proxy_protocol.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

namespace connmgr {
namespace {

using Result = ProxyHeaderParser::Result;
using std::string_literals::operator""s;

struct Outcome {
  Result result;
  size_t consumed;
  ProxyHeader header;
};

Outcome Feed(std::string_view bytes) {
  ProxyHeaderParser parser;
  Outcome outcome{};
  outcome.result = parser.Feed(bytes, &outcome.consumed);
  outcome.header = parser.header();
  return outcome;
}

Result Judge(std::string_view bytes) { return Feed(bytes).result; }

std::string Uint16(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)};
}

std::string V2(char version_command, char family, const std::string& body) {
  return "\r\n\r\n\0\r\nQUIT\n"s + version_command + family + Uint16(body.size()) + body;
}

std::string Tlv(char type, const std::string& value) { return type + Uint16(value.size()) + value; }

const std::string kFrom4 = "\xC0\x00\x02\x01\xC6\x33\x64\x01\xDC\x04\x14\x66"s;
const std::string kFrom6 =
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"s
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02"s
    "\xDC\x04\x14\x66"s;

TEST(ProxyProtocol, ReadsVersion1) {
  const Outcome four = Feed("PROXY TCP4 192.0.2.1 198.51.100.1 56324 5222\r\n<?xml");
  ASSERT_EQ(four.result, Result::kDone);
  EXPECT_EQ(four.consumed, 46u);
  EXPECT_FALSE(four.header.is_local);
  EXPECT_EQ(four.header.source_address, "192.0.2.1");
  EXPECT_EQ(four.header.source_port, 56324);
  EXPECT_EQ(four.header.destination_address, "198.51.100.1");
  EXPECT_EQ(four.header.destination_port, 5222);

  const Outcome six = Feed("PROXY TCP6 2001:DB8:0:0::1 ::1 1 65535\r\n");
  ASSERT_EQ(six.result, Result::kDone);
  EXPECT_EQ(six.header.source_address, "2001:db8::1");
  EXPECT_EQ(six.header.destination_port, 65535);
}

TEST(ProxyProtocol, ReadsTheLongestLineAndNoLonger) {
  const std::string address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const std::string ports = " 65535 65535\r\n";
  EXPECT_EQ(Judge("PROXY TCP6 " + address + " " + address + ports), Result::kDone);
  const std::string longest = "PROXY UNKNOWN " + address + " " + address + ports;
  ASSERT_EQ(longest.size(), ProxyHeaderParser::kMaxV1Bytes);
  EXPECT_EQ(Judge(longest), Result::kDone);
  std::string longer = longest;
  longer.insert(14, "f");
  EXPECT_EQ(Judge(longer), Result::kBad);
  EXPECT_EQ(Judge("PROXY UNKNOWN " + std::string(93, 'x')), Result::kBad);
  EXPECT_EQ(Judge("PROXY UNKNOWN " + std::string(92, 'x')), Result::kNeedMore);
}

TEST(ProxyProtocol, KnowsThatAnUnknownClientIsLocal) {
  const Outcome unknown = Feed("PROXY UNKNOWN\r\n");
  EXPECT_EQ(unknown.result, Result::kDone);
  EXPECT_TRUE(unknown.header.is_local);
  EXPECT_TRUE(Feed("PROXY UNKNOWN what ever\r\n").header.is_local);
}

// tests/attacks, row 45.
TEST(ProxyProtocol, RefusesMalformedVersion1) {
  for (const char* line : {"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 56324 5222 1\r\n",
                           "PROXY TCP4 192.0.2.1  198.51.100.1 56324 5222\r\n",
                           "PROXY  TCP4 192.0.2.1 198.51.100.1 56324 5222\r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 56324 5222 \r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 56324 5222\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 56324 52\r22\r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536\r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 -1 5222\r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 +1 5222\r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1 01 5222\r\n",
                           "PROXY TCP4 192.0.2.1 198.51.100.1  5222\r\n",
                           "PROXY TCP4 192.0.2.256 198.51.100.1 1 5222\r\n",
                           "PROXY TCP4 192.0.2 198.51.100.1 1 5222\r\n",
                           "PROXY TCP4 2001:db8::1 ::1 1 5222\r\n",
                           "PROXY TCP6 192.0.2.1 198.51.100.1 1 5222\r\n",
                           "PROXY UDP4 192.0.2.1 198.51.100.1 1 5222\r\n",
                           "PROXY tcp4 192.0.2.1 198.51.100.1 1 5222\r\n",
                           "PROXY \r\n",
                           "proxy TCP4",
                           "PROXX",
                           "<?xml version='1.0'?>",
                           "\x16\x03\x01",
                           "\n"}) {
    EXPECT_EQ(Judge(line), Result::kBad) << line;
  }
  EXPECT_EQ(Judge("PROXY TCP4 192.0.2.1\0 198.51.100.1 1 5222\r\n"s), Result::kBad);
}

TEST(ProxyProtocol, ReadsVersion2) {
  const Outcome four = Feed(V2('\x21', '\x11', kFrom4) + "<?xml");
  ASSERT_EQ(four.result, Result::kDone);
  EXPECT_EQ(four.consumed, 28u);
  EXPECT_EQ(four.header.source_address, "192.0.2.1");
  EXPECT_EQ(four.header.source_port, 56324);
  EXPECT_EQ(four.header.destination_address, "198.51.100.1");
  EXPECT_EQ(four.header.destination_port, 5222);

  const Outcome six = Feed(V2('\x21', '\x21', kFrom6));
  ASSERT_EQ(six.result, Result::kDone);
  EXPECT_EQ(six.header.source_address, "2001:db8::1");
  EXPECT_EQ(six.header.destination_address, "2001:db8::2");
  EXPECT_EQ(six.header.source_port, 56324);
}

TEST(ProxyProtocol, SkipsWhatLocalAndUnspecifiedCarry) {
  for (const std::string& header :
       {V2('\x20', '\x00', ""), V2('\x20', '\x11', kFrom4), V2('\x20', '\x77', "anything"),
        V2('\x21', '\x00', ""), V2('\x21', '\x00', "anything")}) {
    const Outcome outcome = Feed(header + "x");
    EXPECT_EQ(outcome.result, Result::kDone);
    EXPECT_EQ(outcome.consumed, header.size());
    EXPECT_TRUE(outcome.header.is_local);
    EXPECT_EQ(outcome.header.source_address, "");
  }
  EXPECT_TRUE(Feed(V2('\x21', '\x31', std::string(216, 'u'))).header.is_local);
}

TEST(ProxyProtocol, ReadsTlvs) {
  const Outcome outcome =
      Feed(V2('\x21', '\x11',
              kFrom4 + Tlv('\x01', "xmpp-client") + Tlv('\x02', "im.example.com") +
                  Tlv('\x05', "id-1") + Tlv('\x04', "padding") + Tlv('\x04', "") +
                  Tlv('\x20', std::string(5, '\0')) + Tlv('\xEE', "unknown")));
  ASSERT_EQ(outcome.result, Result::kDone);
  EXPECT_EQ(outcome.header.alpn, "xmpp-client");
  EXPECT_EQ(outcome.header.authority, "im.example.com");
  EXPECT_EQ(outcome.header.unique_id, "id-1");
}

// Computed bit by bit, not by the parser's table.
uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

TEST(ProxyProtocol, VerifiesTheChecksum) {
  ASSERT_EQ(Crc32c("123456789"), 0xE3069283);  // the check value of CRC-32C
  std::string header =
      V2('\x21', '\x11', kFrom4 + Tlv('\x01', "h2") + Tlv('\x03', "\0\0\0\0"s) + Tlv('\x04', "p"));
  const uint32_t crc = Crc32c(header);
  const size_t at = header.find("\x03\x00\x04"s) + 3;
  for (int i = 0; i < 4; ++i) header[at + i] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_EQ(Judge(header), Result::kDone);
  for (const size_t damaged : {size_t{17}, at, header.size() - 1}) {
    std::string copy = header;
    copy[damaged] ^= 1;
    EXPECT_EQ(Judge(copy), Result::kBad) << damaged;
  }
  EXPECT_EQ(Judge(V2('\x21', '\x11', kFrom4 + Tlv('\x03', "\0\0\0"s))), Result::kBad);
}

// tests/attacks, row 45.
TEST(ProxyProtocol, RefusesMalformedVersion2) {
  EXPECT_EQ(Judge(V2('\x11', '\x11', kFrom4)), Result::kBad);  // version 1 in binary
  EXPECT_EQ(Judge(V2('\x31', '\x11', kFrom4)), Result::kBad);  // version 3
  EXPECT_EQ(Judge(V2('\x22', '\x11', kFrom4)), Result::kBad);  // no such command
  EXPECT_EQ(Judge(V2('\x21', '\x12', kFrom4)), Result::kBad);  // datagrams
  EXPECT_EQ(Judge(V2('\x21', '\x41', kFrom4)), Result::kBad);  // no such family
  EXPECT_EQ(Judge(V2('\x21', '\x01', kFrom4)), Result::kBad);
  EXPECT_EQ(Judge(V2('\x21', '\x11', kFrom4.substr(1))), Result::kBad);
  EXPECT_EQ(Judge(V2('\x21', '\x21', kFrom4)), Result::kBad);
  EXPECT_EQ(Judge(V2('\x21', '\x31', kFrom6)), Result::kBad);
  EXPECT_EQ(Judge(V2('\x21', '\x11', kFrom4 + "\x01")), Result::kBad);  // half a TLV
  EXPECT_EQ(Judge(V2('\x21', '\x11', kFrom4 + "\x01\x00\x02h"s)), Result::kBad);
  EXPECT_EQ(Judge(V2('\x21', '\x11', kFrom4 + Tlv('\x01', "a") + Tlv('\x01', "b"))), Result::kBad);
  EXPECT_EQ(Judge(V2('\x21', '\x11', kFrom4 + Tlv('\x05', std::string(129, 'i')))), Result::kBad);
  EXPECT_EQ(Judge(V2('\x21', '\x11', kFrom4 + Tlv('\x04', std::string(5000, 'n')))), Result::kBad);
  // The length alone condemns it: no waiting for 64 KiB.
  EXPECT_EQ(Judge("\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF"s), Result::kBad);
  EXPECT_EQ(Judge("\r\n\r\n\0\r\nQUIX"s), Result::kBad);
}

TEST(ProxyProtocol, ReadsTheSameByteByByte) {
  for (const std::string& header :
       {"PROXY TCP4 192.0.2.1 198.51.100.1 56324 5222\r\n"s, "PROXY UNKNOWN\r\n"s,
        V2('\x20', '\x00', ""), V2('\x21', '\x21', kFrom6 + Tlv('\x02', "im.example.com"))}) {
    const Outcome whole = Feed(header);
    ProxyHeaderParser parser;
    size_t consumed = 0;
    for (size_t i = 0; i + 1 < header.size(); ++i) {
      ASSERT_EQ(parser.Feed(std::string_view(header).substr(i, 1), &consumed), Result::kNeedMore);
      ASSERT_EQ(consumed, 1u);
    }
    // The last byte comes together with the client's first.
    ASSERT_EQ(parser.Feed(header.substr(header.size() - 1) + "<", &consumed), Result::kDone);
    EXPECT_EQ(consumed, 1u);
    EXPECT_EQ(parser.header().source_address, whole.header.source_address);
    EXPECT_EQ(parser.header().authority, whole.header.authority);
    EXPECT_EQ(parser.header().is_local, whole.header.is_local);
  }
}

TEST(ProxyProtocol, ReadsOneHeaderOnly) {
  const std::string header = "PROXY UNKNOWN\r\n";
  ProxyHeaderParser parser;
  size_t consumed = 0;
  ASSERT_EQ(parser.Feed(header + header, &consumed), Result::kDone);
  EXPECT_EQ(consumed, header.size());
  EXPECT_EQ(parser.Feed(header, &consumed), Result::kDone);
  EXPECT_EQ(consumed, 0u);

  ProxyHeaderParser bad;
  ASSERT_EQ(bad.Feed("X", &consumed), Result::kBad);
  EXPECT_EQ(bad.Feed(header, &consumed), Result::kBad);
}

}  // namespace
}  // namespace connmgr
