#include "lib/xmpp/stream_error.h"

#include <gtest/gtest.h>

namespace xmpp {
namespace {

TEST(StreamError, IsWrittenByTheRfc) {
  EXPECT_EQ((StreamError{StreamCondition::kHostUnknown, {}, {}}.ToXml()),
            "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            "</stream:error>");
  EXPECT_EQ((StreamError{StreamCondition::kPolicyViolation, "too <big>",
                         "<stanza-too-big xmlns='urn:xmpp:errors'/>"}
                 .ToXml()),
            "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>too &lt;big&gt;</text>"
            "<stanza-too-big xmlns='urn:xmpp:errors'/></stream:error>");
  EXPECT_EQ((StreamError{StreamCondition::kSeeOtherHost, "h:5222", {}}.ToXml()),
            "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>h:5222"
            "</see-other-host></stream:error>");
}

TEST(StreamError, NamesRoundTrip) {
  for (int i = 0; i <= static_cast<int>(StreamCondition::kUnsupportedVersion); ++i) {
    const auto condition = static_cast<StreamCondition>(i);
    EXPECT_EQ(ParseStreamCondition(ConditionName(condition)), condition);
  }
  EXPECT_EQ(ConditionName(StreamCondition::kNotWellFormed), "not-well-formed");
  EXPECT_EQ(ConditionName(StreamCondition::kSeeOtherHost), "see-other-host");
  EXPECT_EQ(ParseStreamCondition("nonsense"), std::nullopt);
}

}  // namespace
}  // namespace xmpp
