#include "lib/xmpp/stream_management.h"

#include <gtest/gtest.h>

#include "lib/xmpp/element.h"

namespace xmpp {
namespace {

TEST(StreamManagement, WritesWhatItsClientsRead) {
  EXPECT_EQ(WriteSmEnabled("i'd", 300),
            "<enabled xmlns='urn:xmpp:sm:3' id='i&apos;d' resume='true' max='300'/>");
  EXPECT_EQ(WriteSmEnabled("", 300), "<enabled xmlns='urn:xmpp:sm:3'/>");
  EXPECT_EQ(WriteSmAnswer(4294967295u), "<a xmlns='urn:xmpp:sm:3' h='4294967295'/>");
  EXPECT_EQ(WriteSmResumed("id", 7), "<resumed xmlns='urn:xmpp:sm:3' previd='id' h='7'/>");
  EXPECT_EQ(WriteSmFailed("item-not-found", 7),
            "<failed xmlns='urn:xmpp:sm:3' h='7'><item-not-found "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
  EXPECT_EQ(WriteSmFailed("unexpected-request", std::nullopt),
            "<failed xmlns='urn:xmpp:sm:3'><unexpected-request "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
  const StreamError error = HandledCountTooHigh(10, 8);
  EXPECT_EQ(error.condition, StreamCondition::kUndefinedCondition);
  EXPECT_EQ(error.app_condition,
            "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>");
}

TEST(StreamManagement, CountsAreUnsignedAndOfThirtyTwoBits) {
  EXPECT_EQ(ParseSmCount("0"), 0u);
  EXPECT_EQ(ParseSmCount("4294967295"), 4294967295u);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "4294967296", "1x", "0x1"}) {
    EXPECT_EQ(ParseSmCount(bad), std::nullopt) << bad;
  }
}

TEST(StreamManagement, ABooleanHasTwoWordsForTrue) {
  EXPECT_TRUE(ParseSmBoolean("true"));
  EXPECT_TRUE(ParseSmBoolean("1"));
  for (const char* no : {"", "false", "0", "TRUE", "yes"}) EXPECT_FALSE(ParseSmBoolean(no)) << no;
}

}  // namespace
}  // namespace xmpp
