#include "connmgr/submission_window.h"

#include <gtest/gtest.h>

#include <string>

#include "connmgr/stanza_envelope.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

TEST(SubmissionWindow, NumbersFromOneAndKeepsWhatIsNotAccepted) {
  SubmissionWindow window;
  EXPECT_EQ(window.next_in_seq(), 1u);
  uint64_t number = 0, accepted = 0;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 3; ++i) {
      window.Push("stanza " + std::to_string(++number));
      ASSERT_EQ(window.next_in_seq(), number + 1);
    }
    accepted += 2;
    ASSERT_EQ(window.AcceptUpTo(accepted), 2u);
    ASSERT_EQ(window.accepted(), accepted);
    ASSERT_EQ(window.size(), number - accepted);
    uint64_t bytes = 0;
    for (uint64_t n = accepted + 1; n <= number; ++n) {
      ASSERT_EQ(window.at(n).envelope, "stanza " + std::to_string(n));
      bytes += window.at(n).envelope.size();
    }
    ASSERT_EQ(window.bytes(), bytes);
  }
}

TEST(SubmissionWindow, TakesNoAcceptanceTwiceAndNoneOfWhatWasNotSubmitted) {
  SubmissionWindow window;
  window.Push("a");
  window.Push("b");
  EXPECT_EQ(window.AcceptUpTo(1), 1u);
  EXPECT_EQ(window.AcceptUpTo(1), 0u);
  EXPECT_EQ(window.AcceptUpTo(99), 1u);
  EXPECT_EQ(window.accepted(), 2u);
  EXPECT_EQ(window.bytes(), 0u);
  EXPECT_EQ(window.next_in_seq(), 3u);
}

TEST(StanzaEnvelope, IsAnEnvelopeOfTheContract) {
  xmpp::Stanza stanza;
  stanza.kind = xmpp::StanzaKind::kIq;
  stanza.type = xmpp::StanzaType::kSet;
  stanza.verdict = xmpp::Verdict::kJidMalformed;
  stanza.flags = xmpp::kHasBody | xmpp::kHasPriority;
  stanza.id = "i1";
  stanza.to = "b@c";
  stanza.from = "a@c/r";
  stanza.lang = "de";
  stanza.payload_ns = "urn:x";
  stanza.payload_name = "x";
  stanza.bytes = std::string(70000, 'b');
  xylem::v1::Envelope envelope;
  ASSERT_TRUE(envelope.ParseFromString(WriteEnvelope(stanza)));
  EXPECT_EQ(envelope.kind(), 3u);
  EXPECT_EQ(envelope.type(), 7u);
  EXPECT_EQ(envelope.verdict(), 2u);
  EXPECT_EQ(envelope.flags(), xmpp::kHasBody | xmpp::kHasPriority);
  EXPECT_EQ(envelope.id(), "i1");
  EXPECT_EQ(envelope.to(), "b@c");
  EXPECT_EQ(envelope.from(), "a@c/r");
  EXPECT_EQ(envelope.language(), "de");
  EXPECT_EQ(envelope.payload_namespace(), "urn:x");
  EXPECT_EQ(envelope.payload_name(), "x");
  EXPECT_EQ(envelope.body(), stanza.bytes);
}

}  // namespace
}  // namespace connmgr
