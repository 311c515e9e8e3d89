#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/presence/roster_set.h"
#include "tests/business/presence/presence_fixture.h"

namespace business {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;
using xmpp::StanzaType;

constexpr char kJuliet[] = "juliet@example.org";
constexpr char kRomeo[] = "romeo@example.org";

class RosterTest : public testing::Test {
 protected:
  void Get(const SessionPtr& session, const std::string& id, const std::string& ver = "-") {
    world_.SendRosterIq(
        session, StanzaType::kGet, id,
        "<query xmlns='jabber:iq:roster'" + (ver == "-" ? "" : " ver='" + ver + "'") + "/>");
  }
  void Set(const SessionPtr& session, const std::string& id, const std::string& items) {
    world_.SendRosterIq(session, StanzaType::kSet, id,
                        "<query xmlns='jabber:iq:roster'>" + items + "</query>");
  }
  SessionPtr Interested(const std::string& account, const std::string& resource) {
    SessionPtr session = world_.Bind(account, resource);
    Get(session, "first");
    world_.Take();
    return session;
  }
  static std::string VersionIn(const std::string& stanza) {
    const size_t at = stanza.find(" ver='") + 6;
    return stanza.substr(at, stanza.find('\'', at) - at);
  }

  runtime::RedisServer server_;
  PresenceWorld world_{server_.address()};
};

TEST_F(RosterTest, IsEmptyAtFirst) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  Get(balcony, "r1");
  EXPECT_THAT(world_.Take(),
              ElementsAre("1 <iq to='juliet@example.org/balcony' from='juliet@example.org' "
                          "type='result' id='r1'><query xmlns='jabber:iq:roster' ver='0'/></iq>"));
  EXPECT_TRUE(world_.Rows(kJuliet)[0].flags & cluster::kSessionInterested);
}

TEST_F(RosterTest, AnItemIsPushedToInterestedResourcesOnlyEachByItsFullAddress) {
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  Interested(kJuliet, "phone");
  world_.Bind(kJuliet, "uninterested");
  Set(balcony, "s1",
      "<item jid='Romeo@example.org' name='Romeo' subscription='both' ask='subscribe'>"
      "<group>Friends</group><group>Verona</group></item>");
  const auto got = world_.Take();
  const std::string item =
      "<item jid='romeo@example.org' name='Romeo' subscription='none'><group>Friends</group>"
      "<group>Verona</group></item>";
  EXPECT_THAT(got,
              UnorderedElementsAre(
                  testing::AllOf(StartsWith("1 <iq to='juliet@example.org/balcony' type='set'"),
                                 HasSubstr(item), HasSubstr(" ver='")),
                  testing::AllOf(StartsWith("2 <iq to='juliet@example.org/phone' type='set'"),
                                 HasSubstr(item)),
                  "1 <iq to='juliet@example.org/balcony' from='juliet@example.org' "
                  "type='result' id='s1'/>"));
  Get(balcony, "r1");
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr(item)));
}

TEST_F(RosterTest, ThatStandsAlreadyIsAnsweredAndNotPushed) {
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  Set(balcony, "s1", "<item jid='romeo@example.org' name='Romeo'/>");
  world_.Take();
  Set(balcony, "s2", "<item jid='romeo@example.org' name='Romeo'/>");
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("type='result' id='s2'")));
}

TEST_F(RosterTest, WhatIsBadIsRefused) {
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  const auto refusal = [&](const std::string& items) {
    Set(balcony, "s", items);
    const auto got = world_.Take();
    return got.size() == 1 ? got[0] : std::to_string(got.size()) + " stanzas";
  };
  const std::string long_name(kMaxRosterName + 1, 'x');
  EXPECT_THAT(refusal(""), HasSubstr("<bad-request"));
  EXPECT_THAT(refusal("<item/>"), HasSubstr("<bad-request"));
  EXPECT_THAT(refusal("<item jid='a@example.org'/><item jid='b@example.org'/>"),
              HasSubstr("<bad-request"));
  EXPECT_THAT(refusal("<item jid='a@b@c'/>"), HasSubstr("<jid-malformed"));
  EXPECT_THAT(refusal("<item jid='juliet@example.org'/>"), HasSubstr("<not-allowed"));
  EXPECT_THAT(refusal("<item jid='a@example.org' name='" + long_name + "'/>"),
              HasSubstr("<not-acceptable"));
  EXPECT_THAT(refusal("<item jid='a@example.org'><group/></item>"), HasSubstr("<not-acceptable"));
  EXPECT_THAT(refusal("<item jid='a@example.org'><group>" + long_name + "</group></item>"),
              HasSubstr("<not-acceptable"));
  EXPECT_THAT(refusal("<item jid='a@example.org'><group>x</group><group>x</group></item>"),
              HasSubstr("<bad-request"));
  EXPECT_THAT(refusal("<item jid='a@example.org' subscription='remove'/>"),
              HasSubstr("<item-not-found"));
}

TEST_F(RosterTest, WithTheClientsVersionIsNotSentAgain) {
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  Set(balcony, "s1", "<item jid='romeo@example.org'/>");
  world_.Take();
  Get(balcony, "r1", "");
  const auto whole = world_.Take();
  ASSERT_THAT(whole, SizeIs(1));
  Get(balcony, "r2", VersionIn(whole[0]));
  EXPECT_THAT(world_.Take(),
              ElementsAre("1 <iq to='juliet@example.org/balcony' from='juliet@example.org' "
                          "type='result' id='r2'/>"));
}

TEST_F(RosterTest, ThatChangedSinceIsPushedBehindAnEmptyResult) {
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  Set(balcony, "s1", "<item jid='romeo@example.org'/>");
  const std::string before = VersionIn(world_.Take()[0]);
  Set(balcony, "s2", "<item jid='nurse@example.org'/>");
  Set(balcony, "s3", "<item jid='romeo@example.org' subscription='remove'/>");
  world_.Take();
  const SessionPtr phone = world_.Bind(kJuliet, "phone");
  Get(phone, "r1", before);
  const auto got = world_.TakeWhen(3);
  ASSERT_THAT(got, SizeIs(3));
  EXPECT_THAT(got[0], HasSubstr("type='result' id='r1'/>"));
  EXPECT_THAT(got[1], HasSubstr("<item jid='nurse@example.org' subscription='none'/>"));
  EXPECT_EQ(VersionIn(got[1]), before);  // whoever leaves here asks for the rest again
  EXPECT_THAT(got[2], HasSubstr("<item jid='romeo@example.org' subscription='remove'/>"));
  EXPECT_EQ(std::stoll(VersionIn(got[2])), std::stoll(before) + 2);
}

TEST_F(RosterTest, OfAVersionThatNobodyKnowsIsSentWhole) {
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  Set(balcony, "s1", "<item jid='romeo@example.org'/>");
  world_.Take();
  for (const char* ver : {"1", "9999999999999", "abc", "-5"}) {
    Get(balcony, "r1", ver);
    EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("<item jid='romeo@example.org'"))) << ver;
  }
}

TEST_F(RosterTest, IsReadFromTheStoreOncePerVersion) {
  const auto misses = [] {
    return runtime::Metrics::Get()
        .GetCounter("xylem_account_data_lookups_total", "",
                    {{"collection", "roster"}, {"result", "miss"}})
        .value();
  };
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  const auto before = misses();
  Get(balcony, "r1");
  world_.SendAndSettle(balcony, StanzaType::kNone, "", "/>");
  world_.SendAndSettle(balcony, StanzaType::kNone, "", "><show>away</show></presence>");
  EXPECT_EQ(misses(), before);
  Set(balcony, "s1", "<item jid='romeo@example.org'/>");
  Get(balcony, "r2");
  EXPECT_EQ(misses(), before + 1);
}

// A home dies after the change and before anybody heard of it: the stanza comes again.
TEST_F(RosterTest, RemovedTwiceByTheSameStanzaIsNoError) {
  const SessionPtr balcony = Interested(kJuliet, "balcony");
  Set(balcony, "s1", "<item jid='romeo@example.org'/>");
  world_.Take();
  const uint64_t number = world_.redis.Get([&] { return balcony->queue.next(); });
  Set(balcony, "s2", "<item jid='romeo@example.org' subscription='remove'/>");
  EXPECT_THAT(world_.Take(), SizeIs(2));
  world_.redis.Run([&] {
    balcony->queue.StartBehind(number - 1);
    balcony->resubmitted = number;
  });
  Set(balcony, "s2", "<item jid='romeo@example.org' subscription='remove'/>");
  EXPECT_THAT(world_.Take(), IsEmpty());  // managers had each effect
  EXPECT_FALSE(world_.Entry(kJuliet, kRomeo).item.has_value());
}

TEST(RosterSetTest, KeepsWhatIsTheServers) {
  RosterEntry before;
  before.item = RosterItem{
      .name = "old", .subscription = Subscription::kBoth, .approved = true, .groups = {"x"}};
  const RosterEntry after =
      Apply({.contact = {}, .remove = false, .name = "new", .groups = {}}, before);
  EXPECT_EQ(after.item->name, "new");
  EXPECT_THAT(after.item->groups, IsEmpty());
  EXPECT_EQ(after.item->subscription, Subscription::kBoth);
  EXPECT_TRUE(after.item->approved);
}

}  // namespace
}  // namespace business
