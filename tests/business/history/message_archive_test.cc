#include "business/history/message_archive.h"

#include "lib/cluster/cluster_id.h"
#include "tests/business/history/history_fixture.h"

namespace business {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using xmpp::StanzaType;

class MessageArchiveTest : public HistoryTest {};

TEST_F(MessageArchiveTest, BothSidesFindItUnderTheIdThatDeliveryShows) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  const auto got = Say(romeo, kJuliet, "m1");
  ASSERT_THAT(got, SizeIs(1));
  const std::string id = Between(got[0], "by='juliet@example.org' id='", "'");
  ASSERT_TRUE(cluster::ParseClusterId(id)) << got[0];
  for (const SessionPtr& who : {romeo, juliet}) {
    const auto answer = Query(who);
    ASSERT_THAT(answer, SizeIs(2));
    EXPECT_THAT(answer[0],
                AllOf(HasSubstr(" from='" + who->account().ToString() + "'"),
                      HasSubstr("<result xmlns='urn:xmpp:mam:2' id='" + id + "'>"),
                      HasSubstr("<message xmlns='jabber:client' from='romeo@example.org/garden' "
                                "to='juliet@example.org' type='chat' id='m1'>"),
                      Not(HasSubstr("<stanza-id"))));
  }
}

TEST_F(MessageArchiveTest, ItIsThereBeforeItIsAccepted) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  Say(romeo, kJuliet, "m1");
  // Past every cache and session: what the store has.
  const auto owner = xmpp::Jid::FromNormalized(kJuliet);
  const auto page =
      world_.redis.Wait([&] { return world_.stores->archives->Query(owner, ArchiveQuery()); });
  ASSERT_TRUE(page.has_value());
  EXPECT_THAT(page->rows, SizeIs(1));
}

TEST_F(MessageArchiveTest, SubmittedAgainItIsOneRow) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  const xmpp::Stanza message = Message(kJuliet, "m1", "<body>x</body>");
  Say(romeo, message);
  world_.redis.Run([&] { romeo->queue.StartBehind(romeo->queue.accepted() - 1); });
  EXPECT_THAT(Say(romeo, message), IsEmpty());  // her manager has it
  EXPECT_THAT(Archive(juliet), ElementsAre("m1"));
  EXPECT_THAT(Archive(romeo), ElementsAre("m1"));
}

TEST_F(MessageArchiveTest, WhatIsToOneselfIsOneRow) {
  const SessionPtr garden = Available(kRomeo, "garden");
  Available(kRomeo, "phone");
  Say(garden, "romeo@example.org/phone", "m1");
  EXPECT_THAT(Archive(garden), ElementsAre("m1"));
}

TEST_F(MessageArchiveTest, ContentAndHintsDecide) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Say(romeo, Message(kJuliet, "no1", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>"));
  Say(romeo, Message(kJuliet, "no2", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"));
  Say(romeo, Message(kJuliet, "no3", "<body>x</body>", StanzaType::kHeadline));
  Say(romeo, Message(kJuliet, "no4", "<body>x</body>", StanzaType::kError));
  Say(romeo,
      Message("juliet@example.org/balcony", "no5", "<body>x</body>", StanzaType::kGroupchat));
  Say(romeo, Message(kJuliet, "yes1", "<x xmlns='urn:test'/><store xmlns='urn:xmpp:hints'/>"));
  Say(romeo, Message(kJuliet, "yes2", "<body>x</body>", StanzaType::kNormal));
  EXPECT_THAT(Archive(juliet), ElementsAre("yes1", "yes2"));
  EXPECT_THAT(Archive(romeo), ElementsAre("yes1", "yes2"));
}

TEST_F(MessageArchiveTest, WhatIsRefusedIsInNoArchive) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  world_.Ask(juliet, StanzaType::kSet, "",
             "<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.org'/></block>");
  EXPECT_THAT(Say(romeo, kJuliet, "m1"), ElementsAre(HasSubstr("type='error'")));
  EXPECT_THAT(Archive(juliet), IsEmpty());
  EXPECT_THAT(Archive(romeo), IsEmpty());
}

TEST_F(MessageArchiveTest, ManyOfOneSessionStandInTheOrderTheyWereSent) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  std::vector<std::string> ids;
  world_.redis.Run([&] {
    for (int i = 0; i < 60; ++i) {
      ids.push_back("m" + std::to_string(i));
      world_.dispatcher->Submit(romeo, romeo->queue.next(),
                                Message(kJuliet, ids.back(), "<body>x</body>"));
    }
  });
  world_.Settle(romeo);
  EXPECT_EQ(Ids(Query(juliet, "<set xmlns='http://jabber.org/protocol/rsm'><max>100</max></set>")),
            ids);
}

class NoArchiveTest : public HistoryTest {
 protected:
  NoArchiveTest() : HistoryTest({.archive = false}) {}
};

TEST_F(NoArchiveTest, SwitchedOffNothingIsKeptAndNothingOffered) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  EXPECT_THAT(Say(romeo, kJuliet, "m1"), SizeIs(1));
  EXPECT_THAT(Query(juliet), ElementsAre(HasSubstr("<service-unavailable")));
  const auto owner = xmpp::Jid::FromNormalized(kJuliet);
  const auto page =
      world_.redis.Wait([&] { return world_.stores->archives->Query(owner, ArchiveQuery()); });
  ASSERT_TRUE(page.has_value());
  EXPECT_THAT(page->rows, IsEmpty());
}

}  // namespace
}  // namespace business
