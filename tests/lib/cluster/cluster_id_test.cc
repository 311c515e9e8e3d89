#include "lib/cluster/cluster_id.h"

#include <gtest/gtest.h>

#include <set>

namespace cluster {
namespace {

const std::string kSecret(32, 's');

TEST(ClusterId, IsTheSameForTheSameStanzaInEveryProcess) {
  ClusterIdMaker here(kSecret), there(kSecret);
  ClusterId first = here.Make("origin", 7, "romeo@example.net", "<message/>");
  here.Make("other", 8, "", "x");  // what was hashed before changes nothing
  EXPECT_EQ(here.Make("origin", 7, "romeo@example.net", "<message/>"), first);
  EXPECT_EQ(there.Make("origin", 7, "romeo@example.net", "<message/>"), first);
}

TEST(ClusterId, DependsOnEveryPartAndOnTheSecret) {
  ClusterIdMaker maker(kSecret), other(std::string(32, 't'));
  std::set<ClusterId> ids{
      maker.Make("o", 1, "t", "b"), maker.Make("p", 1, "t", "b"), maker.Make("o", 2, "t", "b"),
      maker.Make("o", 1, "u", "b"), maker.Make("o", 1, "t", "c"), other.Make("o", 1, "t", "b"),
  };
  EXPECT_EQ(ids.size(), 6u);
}

TEST(ClusterId, DoesNotLetPartsRunIntoEachOther) {
  ClusterIdMaker maker(kSecret);
  std::set<ClusterId> ids{maker.Make("ab", 1, "cd", "ef"), maker.Make("abc", 1, "d", "ef"),
                          maker.Make("a", 1, "bcd", "ef"), maker.Make("ab", 1, "c", "def"),
                          maker.Make("ab", 1, "cde", "f"), maker.Make("abcd", 1, "", "ef")};
  EXPECT_EQ(ids.size(), 6u);
}

TEST(ClusterId, IsWrittenInTwentySixLettersAndDigits) {
  ClusterId zero{};
  EXPECT_EQ(ClusterIdText(zero), std::string(26, 'a'));
  std::string text = ClusterIdText(ClusterIdMaker(kSecret).Make("o", 1, "t", "b"));
  EXPECT_EQ(text.size(), 26u);
  EXPECT_EQ(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
}

TEST(ClusterId, IsReadAsItWasWritten) {
  const ClusterId id = ClusterIdMaker(kSecret).Make("o", 1, "t", "b");
  const std::string text = ClusterIdText(id);
  EXPECT_EQ(ParseClusterId(text), id);
  std::string last = text;  // 130 bits hold 128: the last two are zero
  last.back() = last.back() == 'b' ? 'c' : 'b';
  for (const std::string& other : {std::string(), text + "a", text.substr(1), std::string(26, 'A'),
                                   std::string(26, '1'), last}) {
    EXPECT_EQ(ParseClusterId(other), std::nullopt) << other;
  }
}

TEST(EffectId, IsTheClusterIdAndTheIndexInBigEndian) {
  ClusterId id;
  id.fill('i');
  EXPECT_EQ(EffectId(id, 0x0102), std::string(16, 'i') + "\x01\x02");
  EXPECT_NE(EffectId(id, 0), EffectId(id, 1));
}

}  // namespace
}  // namespace cluster
