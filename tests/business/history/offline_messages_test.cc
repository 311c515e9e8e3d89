#include "business/history/offline_messages.h"

#include "tests/business/history/history_fixture.h"

namespace business {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using xmpp::StanzaType;

class OfflineTest : public HistoryTest {
 protected:
  explicit OfflineTest(OfflineLimits limits = {}) : HistoryTest({.offline_limits = limits}) {}

  // The messages that a session is given when it becomes available.
  std::vector<std::string> Flood(const SessionPtr& session) {
    world_.Take();
    BecomeAvailable(session);
    return MessagesOf(world_.Take());
  }
  static std::vector<std::string> MessagesOf(std::vector<std::string> got) {
    std::erase_if(got,
                  [](const std::string& one) { return one.find("<message") == std::string::npos; });
    return got;
  }
};

TEST_F(OfflineTest, MessagesWaitInOrderWithTheTimeTheyCame) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  EXPECT_THAT(Say(romeo, kJuliet, "m1"), IsEmpty());
  EXPECT_THAT(Say(romeo, "juliet@example.org/balcony", "m2"), IsEmpty());
  EXPECT_EQ(Waiting(kJuliet), 2u);
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(
      Flood(juliet),
      ElementsAre(AllOf(StartsWith("2 <message to='juliet@example.org' from='romeo@example.org/"
                                   "garden' type='chat' id='m1'>"),
                        HasSubstr("<stanza-id "),
                        HasSubstr("<delay xmlns='urn:xmpp:delay' from='example.org' stamp='")),
                  AllOf(HasSubstr("to='juliet@example.org/balcony'"), HasSubstr("id='m2'"))));
  EXPECT_EQ(Waiting(kJuliet), 0u);
}

TEST_F(OfflineTest, TheyAreDeliveredOnce) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  Say(romeo, kJuliet, "m1");
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(Flood(balcony), SizeIs(1));
  EXPECT_THAT(Flood(balcony), IsEmpty());
  EXPECT_THAT(Flood(world_.Bind(kJuliet, "phone")), IsEmpty());
}

TEST_F(OfflineTest, ANegativePriorityTakesNoneUntilItRises) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony", -1);
  EXPECT_THAT(Say(romeo, kJuliet, "m1"), IsEmpty());
  EXPECT_EQ(Waiting(kJuliet), 1u);
  EXPECT_THAT(Flood(juliet), ElementsAre(HasSubstr("id='m1'")));
}

TEST_F(OfflineTest, WhoWasAwayForAWhileGetsWhatCameMeanwhile) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  BecomeUnavailable(juliet);
  EXPECT_THAT(Say(romeo, kJuliet, "m1"), IsEmpty());
  EXPECT_THAT(Flood(juliet), ElementsAre(HasSubstr("id='m1'")));
}

TEST_F(OfflineTest, WhatIsNotWorthWaitingIsRefusedOrDropped) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const auto refused =
      ElementsAre(AllOf(HasSubstr("<error type='cancel'>"), HasSubstr("<service-unavailable")));
  EXPECT_THAT(Say(romeo, Message(kJuliet, "h", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>")),
              refused);
  EXPECT_THAT(Say(romeo, Message(kJuliet, "g", "<body>x</body>", StanzaType::kGroupchat)), refused);
  EXPECT_THAT(
      Say(romeo, Message("juliet@example.org/gone", "n", "<body>x</body>", StanzaType::kNormal)),
      refused);
  EXPECT_THAT(Say(romeo, Message(kJuliet, "l", "<body>x</body>", StanzaType::kHeadline)),
              IsEmpty());
  EXPECT_THAT(Say(romeo, Message(kJuliet, "c",
                                 "<composing xmlns='http://jabber.org/protocol/chatstates'/>")),
              IsEmpty());
  EXPECT_THAT(Say(romeo, Message(kJuliet, "e", "<body>x</body>", StanzaType::kError)), IsEmpty());
  EXPECT_EQ(Waiting(kJuliet), 0u);
}

TEST_F(OfflineTest, NothingWaitsForWhoIsNobody) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  EXPECT_THAT(Say(romeo, "nobody@example.org", "m1"),
              ElementsAre(HasSubstr("service-unavailable")));
}

TEST_F(OfflineTest, AMessageThatIsSentAgainWaitsOnce) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const xmpp::Stanza message = Message(kJuliet, "m1", "<body>x</body>");
  // As after the death of a server: the same number, the same id.
  world_.redis.Run([&] { world_.dispatcher->Submit(romeo, romeo->queue.next(), message); });
  world_.Settle(romeo);
  world_.redis.Run([&] {
    romeo->queue.StartBehind(romeo->queue.accepted() - 1);
    world_.dispatcher->Submit(romeo, romeo->queue.next(), message);
  });
  world_.Settle(romeo);
  EXPECT_EQ(Waiting(kJuliet), 1u);
}

TEST_F(OfflineTest, WhatTheManagerDidNotTakeWaitsOn) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  Say(romeo, kJuliet, "m1");
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  world_.redis.Run([&] { world_.links->refuse = 1; });
  EXPECT_THAT(Flood(juliet), IsEmpty());
  EXPECT_EQ(Waiting(kJuliet), 1u);
  EXPECT_THAT(Flood(juliet), ElementsAre(HasSubstr("id='m1'")));
  EXPECT_EQ(Waiting(kJuliet), 0u);
}

TEST_F(OfflineTest, SeveralPagesComeAtOnce) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  for (int i = 0; i < 205; ++i) Say(romeo, kJuliet, "m" + std::to_string(i));
  const auto got = Flood(world_.Bind(kJuliet, "balcony"));
  ASSERT_THAT(got, SizeIs(205));
  for (int i = 0; i < 205; ++i) {
    EXPECT_THAT(got[static_cast<size_t>(i)], HasSubstr("id='m" + std::to_string(i) + "'"));
  }
  EXPECT_EQ(Waiting(kJuliet), 0u);
}

TEST_F(OfflineTest, WhatItsClientHasReadInTheArchiveIsSpared) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  Say(romeo, kJuliet, "m1");
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(Archive(juliet), ElementsAre("m1"));
  Say(romeo, Message(kJuliet, "m2", "<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>"));
  Say(romeo, kJuliet, "m3");
  EXPECT_THAT(Flood(juliet), ElementsAre(HasSubstr("id='m2'"), HasSubstr("id='m3'")));
  EXPECT_EQ(Waiting(kJuliet), 0u);
}

class FullTest : public OfflineTest {
 protected:
  FullTest() : OfflineTest({.messages = 2, .bytes = 1000}) {}
};

TEST_F(FullTest, MoreThanTheQueueHoldsIsRefusedAndNothingIsPushedOut) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  EXPECT_THAT(Say(romeo, kJuliet, "m1"), IsEmpty());
  EXPECT_THAT(Say(romeo, kJuliet, "m2"), IsEmpty());
  EXPECT_THAT(Say(romeo, kJuliet, "m3"),
              ElementsAre(AllOf(HasSubstr("<error type='cancel'>"),
                                HasSubstr("<service-unavailable"), HasSubstr("id='m3'"))));
  EXPECT_THAT(Flood(world_.Bind(kJuliet, "balcony")),
              ElementsAre(HasSubstr("id='m1'"), HasSubstr("id='m2'")));
  BecomeUnavailable(world_.sessions.back());
  const std::string big(1200, 'x');
  EXPECT_THAT(Say(romeo, Message(kJuliet, "m4", "<body>" + big + "</body>")),
              ElementsAre(HasSubstr("<service-unavailable")));
}

class NoOfflineTest : public HistoryTest {
 protected:
  NoOfflineTest() : HistoryTest({.offline = false}) {}
};

TEST_F(NoOfflineTest, SwitchedOffItIsAnErrorToTheSender) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  EXPECT_THAT(Say(romeo, kJuliet, "m1"),
              ElementsAre(AllOf(HasSubstr("<service-unavailable"), Not(HasSubstr("<body")))));
  EXPECT_EQ(Waiting(kJuliet), 0u);
}

}  // namespace
}  // namespace business
