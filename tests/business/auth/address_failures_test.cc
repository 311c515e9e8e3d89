#include "business/auth/address_failures.h"

#include <gtest/gtest.h>

namespace business {
namespace {

TEST(AddressGroup, IsTheHostWithoutItsPort) {
  EXPECT_EQ(AddressGroup("192.0.2.1:5000"), "192.0.2.1");
  EXPECT_EQ(AddressGroup("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(AddressGroup("[::ffff:192.0.2.1]:5000"), "192.0.2.1");
  EXPECT_EQ(AddressGroup(""), "");
  EXPECT_EQ(AddressGroup("["), "");
}

TEST(AddressGroup, IsASlash64OfIpv6) {
  EXPECT_EQ(AddressGroup("[2001:db8:1:2:3:4:5:6]:5000"), "2001:db8:1:2::");
  EXPECT_EQ(AddressGroup("2001:db8:1:2:ffff::1"), "2001:db8:1:2::");
  EXPECT_NE(AddressGroup("[2001:db8:1:3::1]:1"), AddressGroup("[2001:db8:1:2::1]:1"));
}

TEST(AddressFailures, CountForAMinuteFromTheFirst) {
  AddressFailures failures;
  EXPECT_EQ(failures.Count("192.0.2.1:1", 1000), 0u);
  failures.Add("192.0.2.1:1", 1000);
  failures.Add("192.0.2.1:2", 50000);
  EXPECT_EQ(failures.Count("192.0.2.1:3", 60999), 2u);
  EXPECT_EQ(failures.Count("192.0.2.2:3", 60999), 0u);
  EXPECT_EQ(failures.Count("192.0.2.1:3", 61000), 0u);
  failures.Add("192.0.2.1:1", 61000);
  EXPECT_EQ(failures.Count("192.0.2.1:3", 61000), 1u);
}

TEST(AddressFailures, ForgetTheOldestOfTooMany) {
  AddressFailures failures(2);
  for (const char* address : {"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"}) {
    failures.Add(address, 1000);
  }
  EXPECT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures.Count("192.0.2.1:1", 1000), 0u);
  EXPECT_EQ(failures.Count("192.0.2.3:1", 1000), 1u);
  failures.Add("192.0.2.4:1", 61000);
  EXPECT_EQ(failures.size(), 1u);
}

}  // namespace
}  // namespace business
