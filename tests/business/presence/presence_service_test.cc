#include "business/presence/presence_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/presence/directed_presence.h"
#include "tests/business/presence/presence_fixture.h"

namespace business {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;
using xmpp::StanzaType;

constexpr char kJuliet[] = "juliet@example.org";
constexpr char kRomeo[] = "romeo@example.org";
constexpr char kUnavailable[] = " type='unavailable'/>";

class Presence : public testing::Test {
 protected:
  // Available, and what that delivered is forgotten.
  SessionPtr Available(const std::string& account, const std::string& resource) {
    SessionPtr session = world_.Bind(account, resource);
    world_.SendAndSettle(session, StanzaType::kNone, "", "/>");
    world_.Take();
    return session;
  }

  runtime::RedisServer server_;
  PresenceWorld world_{server_.address()};
};

TEST_F(Presence, ComesBackToTheResourceThatSendsIt) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(balcony, StanzaType::kNone, "", "><show>away</show></presence>");
  EXPECT_THAT(world_.Take(), ElementsAre("1 <presence to='juliet@example.org' "
                                         "from='juliet@example.org/balcony'><show>away</show></presence>"));
}

TEST_F(Presence, IsWrittenToTheRegistryWithARisingNumber) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(balcony, StanzaType::kNone, "", "><priority>-5</priority></presence>",
                       xmpp::kHasPriority);
  auto rows = world_.Rows(kJuliet);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].available);
  EXPECT_EQ(rows[0].priority, -5);
  EXPECT_EQ(rows[0].presence_number, 1u);
  EXPECT_EQ(rows[0].presence, "<presence><priority>-5</priority></presence>");
  world_.SendAndSettle(balcony, StanzaType::kUnavailable, "", kUnavailable);
  rows = world_.Rows(kJuliet);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_FALSE(rows[0].available);
  EXPECT_EQ(rows[0].presence_number, 2u);
  EXPECT_EQ(rows[0].presence, "");
}

TEST_F(Presence, OfOtherResourcesIsShownOnceAResourceBecomesAvailable) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(balcony, StanzaType::kNone, "", "><show>away</show></presence>");
  world_.Bind(kJuliet, "silent");  // connected, not available
  world_.Take();
  const SessionPtr phone = world_.Bind(kJuliet, "phone");
  world_.SendAndSettle(phone, StanzaType::kNone, "", "/>");
  const auto got = world_.Take();
  ASSERT_EQ(got.size(), 3u);
  EXPECT_THAT((std::vector<std::string>{got[0], got[1]}),
              UnorderedElementsAre(
                  "1 <presence to='juliet@example.org' from='juliet@example.org/phone'/>",
                  "3 <presence to='juliet@example.org' from='juliet@example.org/phone'/>"));
  EXPECT_EQ(got[2], "3 <presence to='juliet@example.org/phone' "
                    "from='juliet@example.org/balcony'><show>away</show></presence>");
  // A change is no news of the others.
  world_.SendAndSettle(phone, StanzaType::kNone, "", "><show>dnd</show></presence>");
  EXPECT_EQ(world_.Take().size(), 2u);
}

TEST_F(Presence, IsShownAgainAfterAnAbsence) {
  Available(kJuliet, "balcony");
  const SessionPtr phone = Available(kJuliet, "phone");
  world_.SendAndSettle(phone, StanzaType::kUnavailable, "", kUnavailable);
  world_.Take();
  world_.SendAndSettle(phone, StanzaType::kNone, "", "/>");
  EXPECT_THAT(world_.Take(), testing::Contains(StartsWith(
                                 "2 <presence to='juliet@example.org/phone' "
                                 "from='juliet@example.org/balcony'")));
}

TEST_F(Presence, OfSomebodyWhoLeavesGoesToTheOthersAndToHim) {
  Available(kJuliet, "balcony");
  const SessionPtr phone = Available(kJuliet, "phone");
  world_.SendAndSettle(phone, StanzaType::kUnavailable, "", kUnavailable);
  EXPECT_THAT(world_.Take(),
              UnorderedElementsAre(StartsWith("1 <presence"), StartsWith("2 <presence")));
}

TEST_F(Presence, WithABadPriorityIsRefused) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(balcony, StanzaType::kNone, "", "><priority>128</priority></presence>",
                       xmpp::kHasPriority);
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("<bad-request")));
  EXPECT_FALSE(world_.Rows(kJuliet)[0].available);
}

TEST_F(Presence, ThatIsTooBigIsRefused) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(balcony, StanzaType::kNone, "",
                       "><status>" + std::string(PresenceService::kMaxPresenceBytes, 'x') +
                           "</status></presence>");
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("<policy-violation")));
}

TEST_F(Presence, ThatIsDirectedIsUndoneOnceWhenTheSessionEnds) {
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");  // connected is enough
  const SessionPtr balcony = Available(kJuliet, "balcony");
  Available(kJuliet, "phone");
  const std::string to = romeo->full().ToString();
  world_.SendAndSettle(balcony, StanzaType::kNone, to, "><status>for you</status></presence>");
  world_.SendAndSettle(balcony, StanzaType::kNone, to, "/>");  // again: remembered once
  EXPECT_EQ(world_.Take().size(), 2u);
  world_.End(balcony);
  EXPECT_THAT(world_.TakeWhen(2),
              UnorderedElementsAre("1 <presence to='romeo@example.org/garden' "
                                   "from='juliet@example.org/balcony' type='unavailable'/>",
                                   "3 <presence to='juliet@example.org' "
                                   "from='juliet@example.org/balcony' type='unavailable'/>"));
}

TEST_F(Presence, EndsOnceHoweverOftenTheEndIsTold) {
  const SessionPtr balcony = Available(kJuliet, "balcony");
  Available(kJuliet, "phone");
  const cluster::SessionRecord row = world_.redis.Get([&] { return balcony->record; });
  world_.End(balcony);
  EXPECT_EQ(world_.TakeWhen(1).size(), 1u);
  const auto account = balcony->account();
  world_.redis.Run([&] { world_.presence.OnSessionEnded(account, row, {}); });
  // Something that comes behind it.
  const SessionPtr third = world_.Bind(kJuliet, "third");
  world_.SendAndSettle(third, StanzaType::kNone, "", "/>");
  for (const std::string& one : world_.Take()) EXPECT_THAT(one, testing::Not(HasSubstr("unavailable")));
}

TEST_F(Presence, OfASessionThatWasReplacedDoesNotUndoItsSuccessor) {
  const SessionPtr balcony = Available(kJuliet, "balcony");
  Available(kJuliet, "phone");
  const cluster::SessionRecord old = world_.redis.Get([&] { return balcony->record; });
  Available(kJuliet, "balcony");  // a new session of the same name
  world_.redis.Run([&] { world_.presence.OnSessionEnded(balcony->account(), old, {}); });
  const SessionPtr third = world_.Bind(kJuliet, "third");
  world_.SendAndSettle(third, StanzaType::kNone, "", "/>");
  for (const std::string& one : world_.Take()) EXPECT_THAT(one, testing::Not(HasSubstr("unavailable")));
}

TEST_F(Presence, ThatLeavesUndoesWhatWasDirected) {
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(balcony, StanzaType::kNone, romeo->full().ToString(), "/>");
  world_.Take();
  world_.SendAndSettle(balcony, StanzaType::kUnavailable, "", kUnavailable);
  EXPECT_THAT(world_.Take(), testing::Contains(StartsWith(
                                 "1 <presence to='romeo@example.org/garden' "
                                 "from='juliet@example.org/balcony' type='unavailable'")));
  world_.redis.Run([&] { EXPECT_THAT(balcony->directed, IsEmpty()); });
}

TEST_F(Presence, ThatIsDirectedAndTakenBackIsForgotten) {
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  const std::string to = romeo->full().ToString();
  world_.SendAndSettle(balcony, StanzaType::kNone, to, "/>");
  const int tickets = world_.redis.Get([&] { return world_.link->tickets; });
  world_.SendAndSettle(balcony, StanzaType::kUnavailable, to, kUnavailable);
  world_.redis.Run([&] {
    EXPECT_THAT(balcony->directed, IsEmpty());
    EXPECT_EQ(world_.link->tickets, tickets + 1);
  });
}

TEST_F(Presence, IsDirectedToSoManyAndNoMore) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.redis.Run([&] {
    for (size_t i = 0; i < kMaxDirected; ++i) {
      EXPECT_TRUE(RememberDirected(*balcony, "a" + std::to_string(i) + "@example.org"));
    }
  });
  world_.SendAndSettle(balcony, StanzaType::kNone, kRomeo, "/>");
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("<resource-constraint")));
}

TEST_F(Presence, ToOtherDomainsIsAnsweredAndLeavingIsNot) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(balcony, StanzaType::kNone, "room@muc.example.org/juliet", "/>");
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("<remote-server-not-found")));
  world_.SendAndSettle(balcony, StanzaType::kUnavailable, "room@muc.example.org/juliet",
                       kUnavailable);
  EXPECT_THAT(world_.Take(), IsEmpty());
  world_.redis.Run([&] { EXPECT_THAT(balcony->directed, IsEmpty()); });
}

TEST_F(Presence, OfOnesOwnAccountCanBeProbed) {
  const SessionPtr balcony = Available(kJuliet, "balcony");
  const SessionPtr phone = world_.Bind(kJuliet, "phone");
  world_.SendAndSettle(phone, StanzaType::kProbe, kJuliet, " type='probe'/>");
  EXPECT_THAT(world_.Take(), ElementsAre("2 <presence to='juliet@example.org/phone' "
                                         "from='juliet@example.org/balcony'/>"));
  world_.SendAndSettle(phone, StanzaType::kProbe, "juliet@example.org/gone", " type='probe'/>");
  EXPECT_THAT(world_.Take(), ElementsAre("2 <presence to='juliet@example.org/phone' "
                                         "from='juliet@example.org/gone' type='unavailable'/>"));
}

TEST_F(Presence, OfOthersCannotBeProbedWhetherTheyExistOrNot) {
  Available(kRomeo, "garden");
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  for (const std::string& account : {std::string(kRomeo), std::string("nobody@example.org")}) {
    world_.SendAndSettle(balcony, StanzaType::kProbe, account, " type='probe'/>");
    EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("from='" + account + "' type='unsubscribed'")));
  }
}

TEST_F(Presence, IsDeliveredOnceAManagerCanBeReachedAgain) {
  Available(kJuliet, "balcony");
  const SessionPtr phone = world_.Bind(kJuliet, "phone");
  world_.redis.Run([&] { world_.links->refuse = 1; });
  world_.SendAndSettle(phone, StanzaType::kNone, "", "/>");
  const auto got = world_.Take();
  EXPECT_EQ(got.size(), 3u);
  EXPECT_THAT(got, testing::Contains(StartsWith("1 <presence to='juliet@example.org' "
                                                "from='juliet@example.org/phone'")));
}

TEST_F(Presence, OfASessionWhoseRowHasAnotherOwnerHasNoEffect) {
  const SessionPtr balcony = Available(kJuliet, "balcony");
  world_.Bind(kJuliet, "balcony");  // elsewhere, unknown to the first one's home
  world_.Send(balcony, StanzaType::kNone, "", "><show>dnd</show></presence>");
  EXPECT_TRUE(runtime::Eventually([&] {
    return world_.redis.Get([&] { return world_.link->fenced == 1; });
  }));
  EXPECT_THAT(world_.Take(), IsEmpty());
  EXPECT_FALSE(world_.Rows(kJuliet)[0].available);
}

}  // namespace
}  // namespace business
