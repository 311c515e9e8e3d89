#include "business/presence/presence_priority.h"

#include <gtest/gtest.h>

#include <string>

namespace business {
namespace {

std::optional<int32_t> Priority(const std::string& text) {
  xmpp::Stanza presence;
  presence.kind = xmpp::StanzaKind::kPresence;
  presence.flags = xmpp::kHasPriority;
  presence.bytes = "<presence><priority>" + text + "</priority></presence>";
  return PriorityOf(presence);
}

TEST(PresencePriority, IsAByte) {
  EXPECT_EQ(Priority("0"), 0);
  EXPECT_EQ(Priority("127"), 127);
  EXPECT_EQ(Priority("-128"), -128);
  EXPECT_EQ(Priority(" 5\n"), 5);
  EXPECT_EQ(Priority("+5"), 5);
}

TEST(PresencePriority, IsRefusedIfItIsNoByte) {
  for (const char* text : {"128", "-129", "", "high", "1.5", "99999999999", "0x1"}) {
    EXPECT_EQ(Priority(text), std::nullopt) << text;
  }
}

TEST(PresencePriority, IsZeroIfThereIsNone) {
  xmpp::Stanza presence;
  presence.bytes = "<presence><show>away</show></presence>";
  EXPECT_EQ(PriorityOf(presence), 0);
}

TEST(PresencePriority, IsRefusedIfThereAreTwo) {
  xmpp::Stanza presence;
  presence.flags = xmpp::kHasPriority;
  presence.bytes = "<presence><priority>1</priority><priority>1</priority></presence>";
  EXPECT_EQ(PriorityOf(presence), std::nullopt);
}

}  // namespace
}  // namespace business
