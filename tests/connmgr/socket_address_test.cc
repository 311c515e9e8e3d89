#include "connmgr/socket_address.h"

#include <gtest/gtest.h>

namespace connmgr {
namespace {

SocketAddress Ip(const std::string& ip) { return *SocketAddress::FromIp(ip, 1); }

TEST(SocketAddress, ReadsHostAndPort) {
  EXPECT_EQ(SocketAddress::Parse("127.0.0.1:5222")->ToString(), "127.0.0.1:5222");
  EXPECT_EQ(SocketAddress::Parse("[::1]:5222")->ToString(), "[::1]:5222");
  EXPECT_EQ(SocketAddress::Parse("localhost:0")->ToString(), "127.0.0.1:0");
  EXPECT_EQ(SocketAddress::Parse("*:5222")->family(), AF_INET6);
  EXPECT_EQ(SocketAddress::Parse(":5222")->ToString(), "[::]:5222");
}

TEST(SocketAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:52x", "no such host.invalid:1"}) {
    EXPECT_FALSE(SocketAddress::Parse(text)) << text;
  }
  EXPECT_FALSE(SocketAddress::FromIp("300.1.1.1", 1));
  EXPECT_FALSE(SocketAddress::FromIp("localhost", 1));
}

TEST(SocketAddress, CallsAMappedAddressByItsIpv4Name) {
  EXPECT_EQ(Ip("::ffff:192.0.2.1").Host(), "192.0.2.1");
  EXPECT_EQ(Ip("::ffff:192.0.2.1").Key(), Ip("192.0.2.1").Key());
  EXPECT_NE(Ip("192.0.2.1").Key(), Ip("192.0.2.2").Key());
  EXPECT_EQ(SocketAddress().ToString(), "");
}

TEST(Network, ContainsItsAddresses) {
  const auto eight = *Network::Parse("127.0.0.0/8");
  EXPECT_TRUE(eight.Contains(Ip("127.1.2.3")));
  EXPECT_TRUE(eight.Contains(Ip("::ffff:127.1.2.3")));
  EXPECT_FALSE(eight.Contains(Ip("128.0.0.1")));
  EXPECT_FALSE(eight.Contains(Ip("::1")));
  const auto odd = *Network::Parse("192.0.2.128/25");
  EXPECT_TRUE(odd.Contains(Ip("192.0.2.200")));
  EXPECT_FALSE(odd.Contains(Ip("192.0.2.1")));
  const auto six = *Network::Parse("2001:db8::/32");
  EXPECT_TRUE(six.Contains(Ip("2001:db8:ffff::1")));
  EXPECT_FALSE(six.Contains(Ip("2001:db9::1")));
  const auto one = *Network::Parse("192.0.2.7");
  EXPECT_TRUE(one.Contains(Ip("192.0.2.7")));
  EXPECT_FALSE(one.Contains(Ip("192.0.2.6")));
  EXPECT_TRUE(Network::Parse("0.0.0.0/0")->Contains(Ip("8.8.8.8")));
  EXPECT_FALSE(Network::Parse("0.0.0.0/0")->Contains(Ip("2001:db8::1")));
  EXPECT_TRUE(Network::Parse("::/0")->Contains(Ip("8.8.8.8")));
}

TEST(Network, RefusesWhatIsNone) {
  for (const char* text : {"", "127.0.0.0/33", "127.0.0.0/", "::/129", "127.0.0.0/-1", "x/8"}) {
    EXPECT_FALSE(Network::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace connmgr
