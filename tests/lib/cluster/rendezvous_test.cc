#include "lib/cluster/rendezvous.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace cluster {
namespace {

std::vector<std::string> Members(int count) {
  std::vector<std::string> members;
  for (int i = 1; i <= count; ++i) members.push_back("business-" + std::to_string(i));
  return members;
}
std::string Key(int i) { return "user" + std::to_string(i) + "@example.net"; }

// Processes of two versions must choose alike: these numbers never change.
TEST(Rendezvous, WeighsTheSameForEver) {
  EXPECT_EQ(RendezvousWeight("business-1", "romeo@example.net"), 0x694656f8d9841255u);
  EXPECT_EQ(RendezvousWeight("business-2", "romeo@example.net"), 0x6d9df9b19d21fe29u);
}

TEST(Rendezvous, ChoosesTheFirstOfItsOrder) {
  std::vector<std::string> members = Members(5);
  for (int i = 0; i < 200; ++i) {
    std::vector<int> order = RendezvousOrder(members, Key(i));
    ASSERT_EQ(order.size(), members.size());
    EXPECT_EQ(RendezvousChoose(members, Key(i)), order[0]);
    for (size_t n = 1; n < order.size(); ++n) {
      EXPECT_GT(RendezvousWeight(members[static_cast<size_t>(order[n - 1])], Key(i)),
                RendezvousWeight(members[static_cast<size_t>(order[n])], Key(i)));
    }
  }
  EXPECT_EQ(RendezvousChoose({}, "x"), -1);
  EXPECT_TRUE(RendezvousOrder({}, "x").empty());
}

TEST(Rendezvous, DoesNotDependOnTheOrderOfMembers) {
  std::vector<std::string> members = Members(4), reversed = members;
  std::reverse(reversed.begin(), reversed.end());
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(members[static_cast<size_t>(RendezvousChoose(members, Key(i)))],
              reversed[static_cast<size_t>(RendezvousChoose(reversed, Key(i)))]);
  }
}

TEST(Rendezvous, MovesOnlyTheLostMembersKeysAndToTheirSecondChoice) {
  std::vector<std::string> members = Members(4), fewer = members;
  fewer.erase(fewer.begin() + 1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<int> order = RendezvousOrder(members, Key(i));
    size_t expected = static_cast<size_t>(order[0] == 1 ? order[1] : order[0]);
    EXPECT_EQ(fewer[static_cast<size_t>(RendezvousChoose(fewer, Key(i)))], members[expected]);
  }
}

TEST(Rendezvous, SharesKeysEvenlyAmongNamesThatDifferInOneDigit) {
  for (int count : {2, 3, 5}) {
    std::vector<std::string> members = Members(count);
    std::map<int, int> load;
    constexpr int kKeys = 10000;
    for (int i = 0; i < kKeys; ++i) ++load[RendezvousChoose(members, Key(i))];
    for (int m = 0; m < count; ++m) EXPECT_NEAR(load[m], kKeys / count, kKeys / 25);
  }
}

}  // namespace
}  // namespace cluster
