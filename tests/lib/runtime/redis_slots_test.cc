#include "lib/runtime/redis_slots.h"

#include <gtest/gtest.h>

#include <set>

namespace runtime {
namespace {

RedisReply Number(int64_t n) { return {.kind = RedisReply::Kind::kInteger, .integer = n}; }
RedisReply Text(std::string text) {
  return {.kind = RedisReply::Kind::kString, .text = std::move(text)};
}
RedisReply List(std::vector<RedisReply> parts) {
  return {.kind = RedisReply::Kind::kArray, .array = std::move(parts)};
}
RedisReply Range(int first, int last, const std::string& host, int port) {
  return List({Number(first), Number(last), List({Text(host), Number(port), Text("id")})});
}

// The cluster specification's check value, and what CLUSTER KEYSLOT of redis-server 7 says.
TEST(RedisSlot, IsCrc16OfTheKeyOrOfItsHashTag) {
  EXPECT_EQ(RedisSlot("123456789"), 0x31c3);
  EXPECT_EQ(RedisSlot(""), 0);
  EXPECT_EQ(RedisSlot("foo"), 12182);
  EXPECT_EQ(RedisSlot("bar"), 5061);
  EXPECT_EQ(RedisSlot("{user1000}.following"), RedisSlot("{user1000}.followers"));
  EXPECT_EQ(RedisSlot("x:{bar}:sessions"), 5061);
  EXPECT_EQ(RedisSlot("foo{bar}{zap}"), 5061);
  EXPECT_EQ(RedisSlot("foo{{bar}}zap"), RedisSlot("{bar"));
  EXPECT_EQ(RedisSlot("foo{}{bar}"), 8363);  // an empty tag is none
  EXPECT_NE(RedisSlot("foo{bar"), 5061);
}

TEST(RedisSlotMap, ReadsRangesAndTheNodeThatNamesItselfByNothing) {
  std::optional<RedisSlotMap> map = RedisSlotMap::Parse(
      List({Range(0, 8191, "10.0.0.1", 7001), Range(8192, 16383, "", 7002)}), "10.0.0.2:7002");
  ASSERT_TRUE(map.has_value());
  EXPECT_TRUE(map->Complete());
  EXPECT_EQ(map->masters().size(), 2u);
  EXPECT_EQ(map->OwnerOf(8191), "10.0.0.1:7001");
  EXPECT_EQ(map->OwnerOf(8192), "10.0.0.2:7002");
  map->Move(0, "[fe80::1]:7003");
  EXPECT_EQ(map->OwnerOf(0), "[fe80::1]:7003");
}

TEST(RedisSlotMap, KnowsThatSlotsAreMissing) {
  std::optional<RedisSlotMap> map =
      RedisSlotMap::Parse(List({Range(1, 16383, "10.0.0.1", 7001)}), "10.0.0.1:7001");
  ASSERT_TRUE(map.has_value());
  EXPECT_FALSE(map->Complete());
  EXPECT_EQ(map->OwnerOf(0), "");
}

TEST(RedisSlotMap, RefusesWhatIsNoSlotMap) {
  EXPECT_FALSE(RedisSlotMap::Parse(Text("x"), "h:1").has_value());
  EXPECT_FALSE(RedisSlotMap::Parse(List({}), "h:1").has_value());
  EXPECT_FALSE(RedisSlotMap::Parse(List({Range(-1, 5, "h", 1)}), "h:1").has_value());
  EXPECT_FALSE(RedisSlotMap::Parse(List({Range(0, 16384, "h", 1)}), "h:1").has_value());
  EXPECT_FALSE(RedisSlotMap::Parse(List({Range(7, 6, "h", 1)}), "h:1").has_value());
  EXPECT_FALSE(RedisSlotMap::Parse(List({List({Number(0), Number(1)})}), "h:1").has_value());
}

TEST(RedisSlotMap, HasATagForEachMaster) {
  std::optional<RedisSlotMap> map = RedisSlotMap::Parse(
      List({Range(0, 5460, "a", 1), Range(5461, 10922, "b", 1), Range(10923, 16383, "c", 1)}),
      "a:1");
  std::set<std::string> reached;
  for (const std::string& tag : map->TagPerMaster()) {
    reached.insert(map->OwnerOf(RedisSlot("x:{" + tag + "}:generation")));
  }
  EXPECT_EQ(reached, (std::set<std::string>{"a:1", "b:1", "c:1"}));
}

TEST(RedisRedirect, IsMovedOrAskWithASlotAndAnAddress) {
  std::optional<RedisRedirect> moved = ParseRedirect("MOVED 3999 127.0.0.1:6381", "h:1");
  ASSERT_TRUE(moved.has_value());
  EXPECT_FALSE(moved->ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->address, "127.0.0.1:6381");
  std::optional<RedisRedirect> ask = ParseRedirect("ASK 1 :6381", "10.0.0.9:1");
  ASSERT_TRUE(ask.has_value());
  EXPECT_TRUE(ask->ask);
  EXPECT_EQ(ask->address, "10.0.0.9:6381");
  for (const char* text : {"MOVED", "MOVED ", "MOVED x h:1", "MOVED 16384 h:1", "MOVED -1 h:1",
                           "MOVED 1", "MOVED 1 host", "MOVED 1 h:", "ERR MOVED 1 h:1"}) {
    EXPECT_FALSE(ParseRedirect(text, "h:1").has_value()) << text;
  }
}

}  // namespace
}  // namespace runtime
