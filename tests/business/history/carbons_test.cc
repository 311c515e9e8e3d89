#include "business/features/carbons.h"

#include "tests/business/history/history_fixture.h"

namespace business {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;
using xmpp::StanzaType;

// Connections: 1 and 2 Romeo's, 3 and 4 Juliet's; the second of each wants copies.
class CarbonsTest : public HistoryTest {
 protected:
  void SetUp() override {
    romeo_ = Available(kRomeo, "garden");
    romeos_phone_ = Available(kRomeo, "phone", -1);
    juliet_ = Available(kJuliet, "balcony");
    juliets_phone_ = Available(kJuliet, "phone", -1);
    for (const SessionPtr& who : {romeos_phone_, juliets_phone_}) Turn(who, "enable");
  }
  void Turn(const SessionPtr& who, const std::string& command) {
    ASSERT_THAT(
        world_.Ask(who, StanzaType::kSet, "", "<" + command + " xmlns='urn:xmpp:carbons:2'/>"),
        ElementsAre(HasSubstr("type='result'")));
  }
  static auto Sent(int connection, const std::string& id) {
    return AllOf(StartsWith(std::to_string(connection) + " <message"),
                 HasSubstr("<sent xmlns='urn:xmpp:carbons:2'><forwarded"),
                 HasSubstr("id='" + id + "'"));
  }
  static auto Received(int connection, const std::string& id) {
    return AllOf(StartsWith(std::to_string(connection) + " <message"),
                 HasSubstr("<received xmlns='urn:xmpp:carbons:2'><forwarded"),
                 HasSubstr("id='" + id + "'"));
  }
  static auto Original(int connection, const std::string& id) {
    return AllOf(StartsWith(std::to_string(connection) + " <message"), HasSubstr("id='" + id + "'"),
                 Not(HasSubstr("<forwarded")));
  }

  SessionPtr romeo_, romeos_phone_, juliet_, juliets_phone_;
};

TEST_F(CarbonsTest, TheOtherClientsOfBothSidesGetCopies) {
  EXPECT_THAT(
      Say(romeo_, kJuliet, "m1"),
      UnorderedElementsAre(
          Original(3, "m1"),
          AllOf(Sent(2, "m1"), HasSubstr("to='romeo@example.org/phone' from='romeo@example.org'")),
          AllOf(Received(4, "m1"),
                HasSubstr("to='juliet@example.org/phone' from='juliet@example.org'"))));
}

TEST_F(CarbonsTest, ToAFullJidToo) {
  EXPECT_THAT(Say(romeo_, "juliet@example.org/balcony", "m1"),
              UnorderedElementsAre(Original(3, "m1"), Sent(2, "m1"), Received(4, "m1")));
}

TEST_F(CarbonsTest, WhoGetsTheOriginalGetsNoCopyAndWhoSendsItNone) {
  EXPECT_THAT(Say(romeos_phone_, "juliet@example.org/phone", "m1"),
              UnorderedElementsAre(Original(4, "m1")));
}

TEST_F(CarbonsTest, BetweenOnesOwnClientsNobodyGetsItTwice) {
  const SessionPtr tablet = Available(kRomeo, "tablet", -1);
  Turn(tablet, "enable");
  EXPECT_THAT(Say(romeo_, "romeo@example.org/phone", "m1"),
              UnorderedElementsAre(Original(2, "m1"), Sent(5, "m1")));
}

TEST_F(CarbonsTest, TurnedOffThereAreNoMore) {
  Turn(romeos_phone_, "disable");
  Turn(juliets_phone_, "disable");
  EXPECT_THAT(Say(romeo_, kJuliet, "m1"), ElementsAre(Original(3, "m1")));
}

TEST_F(CarbonsTest, SomeMessagesAreNotCopied) {
  const char* const contents[] = {"<body>x</body><private xmlns='urn:xmpp:carbons:2'/>",
                                  "<body>x</body><no-copy xmlns='urn:xmpp:hints'/>"};
  for (const char* content : contents) {
    EXPECT_THAT(Say(romeo_, Message(kJuliet, "m", content)), ElementsAre(Original(3, "m")));
  }
  EXPECT_THAT(Say(romeo_, Message(kJuliet, "h", "<body>x</body>", StanzaType::kHeadline)),
              ElementsAre(Original(3, "h")));
  EXPECT_THAT(Say(romeo_, Message(kJuliet, "n", "<x xmlns='urn:test'/>", StanzaType::kNormal)),
              ElementsAre(Original(3, "n")));
  EXPECT_THAT(Say(romeo_, Message("juliet@example.org/balcony", "g", "<body>x</body>",
                                  StanzaType::kGroupchat)),
              ElementsAre(Original(3, "g")));
}

TEST_F(CarbonsTest, ChatStatesAndErrorsAreCopied) {
  EXPECT_THAT(Say(romeo_, Message("juliet@example.org/balcony", "c",
                                  "<composing xmlns='http://jabber.org/protocol/chatstates'/>")),
              UnorderedElementsAre(Original(3, "c"), Sent(2, "c"), Received(4, "c")));
  EXPECT_THAT(
      Say(romeo_, Message("juliet@example.org/balcony", "e", "<body>x</body>", StanzaType::kError)),
      UnorderedElementsAre(Original(3, "e"), Sent(2, "e"), Received(4, "e")));
}

TEST_F(CarbonsTest, WhoGotACopyHearsWhatBecameOfIt) {
  EXPECT_THAT(Say(romeo_, "nobody@example.org", "m1"),
              UnorderedElementsAre(Sent(2, "m1"),
                                   AllOf(StartsWith("2 <message"), HasSubstr("type='error'"),
                                         HasSubstr("<received xmlns='urn:xmpp:carbons:2'")),
                                   AllOf(StartsWith("1 <message"), HasSubstr("type='error'"))));
}

// Attacks row 33, and the rule that what is blocked is not copied.
TEST_F(CarbonsTest, OfWhatWasRefusedBeforeThereIsNoCopy) {
  world_.Ask(juliet_, StanzaType::kSet, "",
             "<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.org'/></block>");
  EXPECT_THAT(Say(romeo_, kJuliet, "m1"),
              ElementsAre(AllOf(StartsWith("1 <message"), HasSubstr("type='error'"))));
}

TEST_F(CarbonsTest, CopiesThatAClientMakesUpAreTakenOut) {
  const std::string forged =
      "<body>x</body><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
      "<message xmlns='jabber:client' from='nurse@example.org' "
      "id='forged'/></forwarded></received>";
  EXPECT_THAT(Say(romeo_, Message(kJuliet, "m1", forged)), testing::Each(Not(HasSubstr("forged"))));
}

TEST_F(CarbonsTest, ACopyIsSentOnceHoweverOftenTheOriginalIsTried) {
  world_.redis.Run([&] { world_.links->refuse = 1; });  // the copy, which goes first
  EXPECT_THAT(Say(romeo_, kJuliet, "m1"),
              UnorderedElementsAre(Original(3, "m1"), Sent(2, "m1"), Received(4, "m1")));
}

TEST_F(CarbonsTest, WhatWaitsForWhoIsAwayIsCopiedToWhoIsConnected) {
  BecomeUnavailable(juliet_);
  EXPECT_THAT(Say(romeo_, kJuliet, "m1"), UnorderedElementsAre(Sent(2, "m1"), Received(4, "m1")));
  EXPECT_EQ(Waiting(kJuliet), 1u);
}

TEST_F(CarbonsTest, TheCopyCarriesTheIdOfItsOwnArchive) {
  const auto got = Say(romeo_, kJuliet, "m1");
  const std::string id = Between(got.back(), "<stanza-id", "/>");
  EXPECT_THAT(got, Contains(AllOf(Sent(2, "m1"), HasSubstr("by='romeo@example.org'"),
                                  Not(HasSubstr("by='juliet@example.org'")))));
  EXPECT_THAT(got, Contains(AllOf(Received(4, "m1"), HasSubstr("by='juliet@example.org'"))));
}

}  // namespace
}  // namespace business
