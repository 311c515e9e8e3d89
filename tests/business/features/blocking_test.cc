#include "business/features/blocking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/features/block_lists.h"
#include "tests/business/features/feature_world.h"

namespace business {
namespace {

using testing::AllOf;
using testing::Contains;
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
constexpr char kNurse[] = "nurse@example.org";

TEST(BlockList, MatchesByFullBareDomainResourceAndDomain) {
  const auto blocks = [](const std::string& item, const std::string& jid) {
    return BlockList({"a@z", item, "zz@a"}).Blocks(xmpp::Jid::FromNormalized(jid));
  };
  EXPECT_TRUE(blocks("r@x.org/garden", "r@x.org/garden"));
  EXPECT_FALSE(blocks("r@x.org/garden", "r@x.org/orchard"));
  EXPECT_FALSE(blocks("r@x.org/garden", "r@x.org"));
  EXPECT_TRUE(blocks("r@x.org", "r@x.org/garden"));
  EXPECT_TRUE(blocks("r@x.org", "r@x.org"));
  EXPECT_FALSE(blocks("r@x.org", "q@x.org"));
  EXPECT_TRUE(blocks("x.org/garden", "r@x.org/garden"));
  EXPECT_TRUE(blocks("x.org/garden", "x.org/garden"));
  EXPECT_FALSE(blocks("x.org/garden", "x.org"));
  EXPECT_TRUE(blocks("x.org", "r@x.org/garden"));
  EXPECT_TRUE(blocks("x.org", "x.org"));
  EXPECT_FALSE(blocks("x.org", "sub.x.org"));
}

class BlockingTest : public testing::Test {
 protected:
  std::vector<std::string> Set(const SessionPtr& who, const std::string& command,
                               const std::string& items) {
    return world_.Ask(who, StanzaType::kSet, "",
                      "<" + command + " xmlns='urn:xmpp:blocking'>" + items + "</" + command + ">");
  }
  void Block(const SessionPtr& who, const std::string& jid) {
    ASSERT_THAT(Set(who, "block", "<item jid='" + jid + "'/>"),
                Contains(HasSubstr("type='result'")));
  }
  void Unblock(const SessionPtr& who, const std::string& jid) {
    ASSERT_THAT(Set(who, "unblock", "<item jid='" + jid + "'/>"),
                Contains(HasSubstr("type='result'")));
  }
  std::string List(const SessionPtr& who) {
    const auto got =
        world_.Ask(who, StanzaType::kGet, "", "<blocklist xmlns='urn:xmpp:blocking'/>");
    return got.size() == 1 ? got[0] : std::to_string(got.size()) + " stanzas";
  }
  SessionPtr Available(const std::string& account, const std::string& resource) {
    const SessionPtr session = world_.Bind(account, resource);
    world_.SendAndSettle(session, StanzaType::kNone, "", "/>");
    return session;
  }
  std::vector<std::string> Said(const SessionPtr& who, const std::string& to) {
    world_.Take();
    world_.Message(who, to, "hi");
    return world_.Take();
  }
  static testing::Matcher<std::string> Refused(const std::string& condition) {
    return AllOf(HasSubstr("type='error'"), HasSubstr("<" + condition));
  }

  runtime::RedisServer server_;
  FeatureLoop world_{server_.address()};
};

TEST_F(BlockingTest, TheListIsKeptAndPushedToWhoAskedForIt) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  const SessionPtr phone = world_.Bind(kJuliet, "phone");
  world_.Bind(kJuliet, "watch");
  EXPECT_THAT(List(balcony), HasSubstr("<blocklist xmlns='urn:xmpp:blocking'/>"));
  List(phone);
  EXPECT_THAT(
      Set(balcony, "block", "<item jid='Romeo@example.org'/><item jid='montague.net'/>"),
      UnorderedElementsAre(
          AllOf(StartsWith("1 <iq to='juliet@example.org/balcony' type='set'"),
                HasSubstr("<item jid='romeo@example.org'/><item jid='montague.net'/></block>")),
          StartsWith("2 <iq to='juliet@example.org/phone' type='set'"),
          AllOf(StartsWith("1 <iq"), HasSubstr("type='result'"))));
  EXPECT_THAT(List(phone),
              HasSubstr("<item jid='montague.net'/><item jid='romeo@example.org'/></blocklist>"));
  EXPECT_THAT(Set(phone, "unblock", ""),
              Contains(HasSubstr("<unblock xmlns='urn:xmpp:blocking'/>")));
  EXPECT_THAT(List(phone), HasSubstr("<blocklist xmlns='urn:xmpp:blocking'/>"));
}

TEST_F(BlockingTest, WhatIsBadIsRefused) {
  const SessionPtr balcony = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(Set(balcony, "block", ""), ElementsAre(Refused("bad-request")));
  EXPECT_THAT(Set(balcony, "block", "<item jid='a@b@c'/>"), ElementsAre(Refused("jid-malformed")));
  EXPECT_THAT(Set(balcony, "block", "<item/>"), ElementsAre(Refused("jid-malformed")));
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "<item jid='a" + std::to_string(i) + "@b'/>";
  EXPECT_THAT(Set(balcony, "block", many), ElementsAre(Refused("resource-constraint")));
}

TEST_F(BlockingTest, MessagesGoNeitherWay) {
  const SessionPtr juliet = Available(kJuliet, "balcony");
  const SessionPtr romeo = Available(kRomeo, "garden");
  EXPECT_THAT(Said(romeo, kJuliet), ElementsAre(HasSubstr("hi")));
  Block(juliet, kRomeo);
  EXPECT_THAT(Said(romeo, kJuliet),
              ElementsAre(AllOf(StartsWith("2 "), Refused("service-unavailable"),
                                Not(HasSubstr("blocked")))));
  EXPECT_THAT(Said(romeo, "juliet@example.org/balcony"),
              ElementsAre(Refused("service-unavailable")));
  EXPECT_THAT(Said(juliet, kRomeo),
              ElementsAre(AllOf(StartsWith("1 "), HasSubstr("<error type='cancel'>"),
                                Refused("not-acceptable"),
                                HasSubstr("<blocked xmlns='urn:xmpp:blocking:errors'/>"))));
  Unblock(juliet, kRomeo);
  EXPECT_THAT(Said(romeo, kJuliet), ElementsAre(AllOf(StartsWith("1 "), HasSubstr("hi"))));
  EXPECT_THAT(Said(juliet, kRomeo), ElementsAre(AllOf(StartsWith("2 "), HasSubstr("hi"))));
}

TEST_F(BlockingTest, OnesOwnResourcesAreNeverBlocked) {
  const SessionPtr balcony = Available(kJuliet, "balcony");
  Available(kJuliet, "phone");
  Block(balcony, "example.org");
  EXPECT_THAT(Said(balcony, "juliet@example.org/phone"), ElementsAre(HasSubstr("hi")));
}

TEST_F(BlockingTest, IqsAreAnsweredAsIfTheAccountWereNotThere) {
  const SessionPtr juliet = Available(kJuliet, "balcony");
  const SessionPtr romeo = Available(kRomeo, "garden");
  const std::string card = "<vCard xmlns='vcard-temp'/>";
  world_.Ask(juliet, StanzaType::kSet, "", "<vCard xmlns='vcard-temp'><FN>J</FN></vCard>");
  EXPECT_THAT(world_.Ask(romeo, StanzaType::kGet, kJuliet, card), ElementsAre(HasSubstr("<FN>")));
  Block(juliet, kRomeo);
  EXPECT_THAT(world_.Ask(romeo, StanzaType::kGet, kJuliet, card),
              ElementsAre(Refused("service-unavailable")));
  EXPECT_THAT(world_.Ask(romeo, StanzaType::kGet, "juliet@example.org/balcony",
                         "<ping xmlns='urn:xmpp:ping'/>"),
              ElementsAre(AllOf(StartsWith("2 "), Refused("service-unavailable"))));
  EXPECT_THAT(world_.Ask(juliet, StanzaType::kGet, kRomeo, card),
              ElementsAre(AllOf(StartsWith("1 "), Refused("not-acceptable"))));
}

TEST_F(BlockingTest, PresenceIsTakenBackAndGivenAgain) {
  world_.Befriend(kJuliet, kRomeo);
  world_.Befriend(kJuliet, kNurse);
  const SessionPtr juliet = Available(kJuliet, "balcony");
  const SessionPtr romeo = Available(kRomeo, "garden");
  Available(kNurse, "hall");
  const auto blocked = Set(juliet, "block", "<item jid='romeo@example.org'/>");
  EXPECT_THAT(blocked, Contains(AllOf(StartsWith("2 <presence"), HasSubstr("type='unavailable'"))));
  EXPECT_THAT(blocked, Not(Contains(StartsWith("3 "))));
  world_.Take();
  world_.SendAndSettle(juliet, StanzaType::kNone, "", "><show>away</show></presence>");
  EXPECT_THAT(world_.TakeWhen(2),
              AllOf(Contains(StartsWith("3 ")), Not(Contains(StartsWith("2 ")))));
  world_.SendAndSettle(romeo, StanzaType::kNone, "", "><show>dnd</show></presence>");
  EXPECT_THAT(world_.Take(), ElementsAre(StartsWith("2 ")));  // himself
  const SessionPtr phone = world_.Bind(kRomeo, "phone");
  world_.SendAndSettle(phone, StanzaType::kNone, "", "/>");
  EXPECT_THAT(world_.Take(), Not(Contains(HasSubstr("from='juliet@"))));
  world_.SendAndSettle(phone, StanzaType::kUnavailable, "", " type='unavailable'/>");
  const auto given = Set(juliet, "unblock", "<item jid='romeo@example.org'/>");
  EXPECT_THAT(given, Contains(AllOf(StartsWith("2 <presence"), HasSubstr("<show>away</show>"))));
  EXPECT_THAT(given, Contains(AllOf(StartsWith("1 <presence"), HasSubstr("<show>dnd</show>"))));
}

TEST_F(BlockingTest, ADomainTakesAllItsContactsWithIt) {
  world_.Befriend(kJuliet, kRomeo);
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Available(kRomeo, "garden");
  EXPECT_THAT(Set(juliet, "block", "<item jid='example.org'/>"),
              Contains(AllOf(StartsWith("2 <presence"), HasSubstr("type='unavailable'"))));
}

TEST_F(BlockingTest, RequestsOfWhoIsBlockedAreSilence) {
  const SessionPtr juliet = Available(kJuliet, "balcony");
  const SessionPtr romeo = Available(kRomeo, "garden");
  Block(juliet, kRomeo);
  world_.Take();
  world_.SendAndSettle(romeo, StanzaType::kSubscribe, kJuliet, " type='subscribe'/>");
  world_.SendAndSettle(romeo, StanzaType::kProbe, kJuliet, " type='probe'/>");
  world_.SendAndSettle(romeo, StanzaType::kNone, "juliet@example.org/balcony", "/>");
  EXPECT_THAT(world_.Take(), IsEmpty());
  EXPECT_TRUE(world_.Entry(kRomeo, kJuliet).item->ask);  // he waits as for anybody else
  EXPECT_FALSE(world_.Entry(kJuliet, kRomeo).request);
  world_.SendAndSettle(juliet, StanzaType::kSubscribe, kRomeo, " type='subscribe'/>");
  EXPECT_THAT(world_.Take(), ElementsAre(Refused("not-acceptable")));
  EXPECT_FALSE(world_.Entry(kJuliet, kRomeo).item);
}

TEST_F(BlockingTest, AReportIsKeptWithTheBlock) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const auto reports = [&] {
    return runtime::Metrics::Get()
        .GetCounter("xylem_reports_total", "", {{"reason", "spam"}})
        .value();
  };
  const auto before = reports();
  const std::string report =
      "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'><text>Buy!</text>"
      "</report>";
  Set(juliet, "block", "<item jid='spam.example'>" + report + "</item>");
  EXPECT_EQ(reports(), before + 1);
  auto kept = world_.redis.Wait([&] {
    return world_.stores->account_data->Find(xmpp::Jid::FromNormalized(kJuliet),
                                             DataType::kBlockList, "spam.example");
  });
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ(**kept, report);
  EXPECT_THAT(List(juliet), Not(HasSubstr("report")));
}

}  // namespace
}  // namespace business
