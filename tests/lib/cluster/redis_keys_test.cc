#include "lib/cluster/redis_keys.h"

#include <gtest/gtest.h>

#include "lib/cluster/base32.h"
#include "lib/runtime/redis_client.h"

namespace cluster {
namespace {

TEST(Base32, IsThatOfRfc4648InLowerCaseWithoutPadding) {
  EXPECT_EQ(Base32(""), "");
  EXPECT_EQ(Base32("f"), "my");
  EXPECT_EQ(Base32("fo"), "mzxq");
  EXPECT_EQ(Base32("foo"), "mzxw6");
  EXPECT_EQ(Base32("foob"), "mzxw6yq");
  EXPECT_EQ(Base32("fooba"), "mzxw6ytb");
  EXPECT_EQ(Base32("foobar"), "mzxw6ytboi");
}

// printf %s romeo@example.net | sha256sum, first 16 bytes, base32: fixed for ever, because rows are
// found by it.
TEST(RedisKeys, TagAnAccountByItsHash) {
  EXPECT_EQ(AccountTag("romeo@example.net"), "pzlyuxyd76lgays7jadmetjyiu");
  EXPECT_EQ(AccountTag("romeo@example.net"), AccountTag(std::string("romeo@example.net")));
  EXPECT_NE(AccountTag("romeo@example.net"), AccountTag("romeo@example.org"));
}

TEST(RedisKeys, KeepOneAccountInOneSlotWhateverItsLocalpartHolds) {
  for (const char* jid : {"romeo@example.net", "ro{}meo@example.net", "}{@example.net"}) {
    std::string tag = AccountTag(jid);
    EXPECT_EQ(tag.find_first_of("{}"), std::string::npos);
    uint16_t slot = runtime::RedisSlot(SessionsKey(tag));
    EXPECT_EQ(runtime::RedisSlot(EpochKey(tag)), slot);
    EXPECT_EQ(runtime::RedisSlot(DoneKey(tag)), slot);
    EXPECT_EQ(runtime::RedisSlot(VersionKey(tag)), slot);
    EXPECT_EQ(runtime::RedisSlot(OutboxKey(tag, "00ff")), slot);
  }
}

TEST(RedisKeys, KeepOneManagerInOneSlot) {
  uint16_t slot = runtime::RedisSlot(ManagerLeaseKey("connmgr-1", 7));
  EXPECT_EQ(runtime::RedisSlot(ManagerAccountsKey("connmgr-1", 7)), slot);
  EXPECT_EQ(runtime::RedisSlot(ManagerReaperKey("connmgr-1", 7)), slot);
  EXPECT_EQ(runtime::RedisSlot(ManagerSweptKey("connmgr-1", 7)), slot);
  EXPECT_NE(ManagerLeaseKey("connmgr-1", 7), ManagerLeaseKey("connmgr-1", 8));
}

TEST(RedisKeys, ReadAManagersFieldBack) {
  for (const char* name : {"connmgr-1", "connmgr.with.dots", ""}) {
    auto parsed = ParseManagerField(ManagerField(name, 0xfedcba9876543210));
    ASSERT_TRUE(parsed.has_value()) << name;
    EXPECT_EQ(parsed->first, name);
    EXPECT_EQ(parsed->second, 0xfedcba9876543210);
  }
  for (const char* text : {"", "connmgr-1", "connmgr-1.7", "connmgr-1.000000000000000g",
                           "connmgr-1.00000000000000001", "connmgr-1 0000000000000001"}) {
    EXPECT_FALSE(ParseManagerField(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace cluster
