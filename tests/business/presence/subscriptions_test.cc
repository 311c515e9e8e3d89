#include "business/presence/subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/presence/contact_fanout.h"
#include "business/presence/directed_presence.h"
#include "business/presence/presence_audience.h"
#include "tests/business/presence/presence_fixture.h"

namespace business {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
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

class Contacts : public testing::Test {
 protected:
  // Interested and available; what that delivered is forgotten.
  SessionPtr Online(const std::string& account, const std::string& resource) {
    SessionPtr session = world_.Bind(account, resource);
    world_.SendRosterIq(session, StanzaType::kGet, "r", "<query xmlns='jabber:iq:roster'/>");
    world_.SendAndSettle(session, StanzaType::kNone, "", "/>");
    world_.Take();
    return session;
  }
  void Say(const SessionPtr& session, StanzaType type, const std::string& to) {
    world_.SendAndSettle(session, type, to,
                         " type='" + std::string(xmpp::TypeName(type)) + "'/>");
  }

  runtime::RedisServer server_;
  PresenceWorld world_{server_.address()};
};

TEST_F(Contacts, AskAndAreGranted) {
  const SessionPtr romeo = Online(kRomeo, "garden");    // 1
  const SessionPtr juliet = Online(kJuliet, "balcony");  // 2
  Say(romeo, StanzaType::kSubscribe, "juliet@example.org/somewhere");
  EXPECT_THAT(
      world_.Take(),
      UnorderedElementsAre(
          AllOf(StartsWith("1 <iq"), HasSubstr("<item jid='juliet@example.org' "
                                               "subscription='none' ask='subscribe'/>")),
          "2 <presence to='juliet@example.org' from='romeo@example.org' type='subscribe'/>"));
  Say(juliet, StanzaType::kSubscribed, kRomeo);
  const auto got = world_.TakeWhen(4);
  EXPECT_THAT(
      got,
      UnorderedElementsAre(
          AllOf(StartsWith("2 <iq"),
                HasSubstr("<item jid='romeo@example.org' subscription='from'/>")),
          "1 <presence to='romeo@example.org' from='juliet@example.org' type='subscribed'/>",
          AllOf(StartsWith("1 <iq"),
                HasSubstr("<item jid='juliet@example.org' subscription='to'/>")),
          "1 <presence to='romeo@example.org' from='juliet@example.org/balcony'/>"));
  // First why, then what follows from it.
  EXPECT_THAT(got.back(), HasSubstr("juliet@example.org/balcony"));
}

TEST_F(Contacts, ThatAreAwayAreAskedAtEachLoginUntilTheyAnswer) {
  const SessionPtr romeo = Online(kRomeo, "garden");
  world_.SendAndSettle(romeo, StanzaType::kSubscribe, kJuliet,
                       " type='subscribe'><status>please</status></presence>");
  world_.Take();
  const std::string request =
      " <presence to='juliet@example.org' from='romeo@example.org' type='subscribe'>"
      "<status>please</status></presence>";
  for (int login = 2; login <= 3; ++login) {
    const SessionPtr juliet = world_.Bind(kJuliet, "r" + std::to_string(login));
    world_.SendAndSettle(juliet, StanzaType::kNone, "", "/>");
    EXPECT_THAT(world_.Take(), Contains(std::to_string(login) + request));
  }
  // Asked again, nobody is disturbed a second time.
  Say(romeo, StanzaType::kSubscribe, kJuliet);
  EXPECT_THAT(world_.Take(), IsEmpty());
  world_.redis.Run([&] {});
  Say(world_.sessions.back(), StanzaType::kUnsubscribed, kRomeo);
  world_.Take();
  const SessionPtr again = world_.Bind(kJuliet, "again");
  world_.SendAndSettle(again, StanzaType::kNone, "", "/>");
  EXPECT_THAT(world_.Take(), Each(Not(HasSubstr("type='subscribe'"))));
}

TEST_F(Contacts, ApprovedBeforehandAreNotAskedFor) {
  const SessionPtr romeo = Online(kRomeo, "garden");
  const SessionPtr juliet = Online(kJuliet, "balcony");
  Say(juliet, StanzaType::kSubscribed, kRomeo);
  EXPECT_THAT(world_.Take(),
              ElementsAre(AllOf(StartsWith("2 <iq"),
                                HasSubstr("<item jid='romeo@example.org' subscription='none' "
                                          "approved='true'/>"))));
  Say(romeo, StanzaType::kSubscribe, kJuliet);
  const auto got = world_.TakeWhen(5);
  EXPECT_THAT(got, Not(Contains(HasSubstr("type='subscribe'/>"))));
  EXPECT_THAT(got, Contains(HasSubstr("1 <presence to='romeo@example.org' "
                                      "from='juliet@example.org' type='subscribed'/>")));
  EXPECT_THAT(got, Contains("1 <presence to='romeo@example.org' "
                            "from='juliet@example.org/balcony'/>"));
  EXPECT_EQ(world_.Entry(kJuliet, kRomeo).item->subscription, Subscription::kFrom);
  EXPECT_EQ(world_.Entry(kRomeo, kJuliet).item->subscription, Subscription::kTo);
}

TEST_F(Contacts, ThatDoNotExistAreAsSilentAsOthers) {
  const SessionPtr romeo = Online(kRomeo, "garden");
  Say(romeo, StanzaType::kSubscribe, "nobody@example.org");
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("ask='subscribe'")));
  Say(romeo, StanzaType::kSubscribe, kJuliet);  // offline
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("ask='subscribe'")));
}

TEST_F(Contacts, TakeBackWhatTheyGranted) {
  world_.Befriend(kRomeo, kJuliet);
  const SessionPtr romeo = Online(kRomeo, "garden");
  const SessionPtr juliet = Online(kJuliet, "balcony");
  Say(juliet, StanzaType::kUnsubscribed, kRomeo);
  EXPECT_THAT(world_.TakeWhen(4),
              UnorderedElementsAre(
                  AllOf(StartsWith("2 <iq"), HasSubstr("subscription='to'")),
                  HasSubstr("1 <presence to='romeo@example.org' from='juliet@example.org' "
                            "type='unsubscribed'/>"),
                  AllOf(StartsWith("1 <iq"), HasSubstr("subscription='from'")),
                  "1 <presence to='romeo@example.org' from='juliet@example.org/balcony' "
                  "type='unavailable'/>"));
}

TEST_F(Contacts, ThatAreRemovedLoseBothSubscriptionsOnce) {
  world_.Befriend(kRomeo, kJuliet);
  const SessionPtr romeo = Online(kRomeo, "garden");
  const SessionPtr juliet = Online(kJuliet, "balcony");
  world_.SendRosterIq(romeo, StanzaType::kSet, "s",
                      "<query xmlns='jabber:iq:roster'><item jid='juliet@example.org' "
                      "subscription='remove'/></query>");
  const auto got = world_.TakeWhen(8);
  EXPECT_THAT(got, Contains(AllOf(StartsWith("1 <iq"), HasSubstr("subscription='remove'"))));
  EXPECT_THAT(got, Contains("2 <presence to='juliet@example.org' from='romeo@example.org' "
                            "type='unsubscribe'/>"));
  EXPECT_THAT(got, Contains("2 <presence to='juliet@example.org' from='romeo@example.org' "
                            "type='unsubscribed'/>"));
  EXPECT_THAT(got, Contains("2 <presence to='juliet@example.org' "
                            "from='romeo@example.org/garden' type='unavailable'/>"));
  EXPECT_THAT(got, Contains("1 <presence to='romeo@example.org' "
                            "from='juliet@example.org/balcony' type='unavailable'/>"));
  EXPECT_FALSE(world_.Entry(kRomeo, kJuliet).item.has_value());
  EXPECT_EQ(world_.Entry(kJuliet, kRomeo).item->subscription, Subscription::kNone);
  EXPECT_TRUE(world_.Entry(kJuliet, kRomeo).item.has_value());
}

// A home dies behind the first of the two transactions: what is submitted again does the rest.
TEST_F(Contacts, AreToldOnceWhenAStanzaComesAgain) {
  const SessionPtr romeo = Online(kRomeo, "garden");
  const SessionPtr juliet = Online(kJuliet, "balcony");
  const uint64_t number = world_.redis.Get([&] { return romeo->queue.next(); });
  Say(romeo, StanzaType::kSubscribe, kJuliet);
  EXPECT_THAT(world_.Take(), SizeIs(2));
  Say(juliet, StanzaType::kUnsubscribed, kRomeo);
  world_.TakeWhen(2);
  world_.redis.Run([&] { romeo->queue.StartBehind(number - 1); });
  Say(romeo, StanzaType::kSubscribe, kJuliet);
  EXPECT_THAT(world_.Take(), IsEmpty());
  EXPECT_FALSE(world_.Entry(kJuliet, kRomeo).request.has_value());  // the answer stands
}

TEST_F(Contacts, SeeEachOtherComeChangeAndGo) {
  world_.Befriend(kRomeo, kJuliet);
  world_.SetItem(kNurse, kJuliet, {.subscription = Subscription::kFrom});
  world_.SetItem(kJuliet, kNurse, {.subscription = Subscription::kTo});
  const SessionPtr romeo = Online(kRomeo, "garden");
  Online(kRomeo, "phone");
  Online(kNurse, "house");  // does not see Juliet
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(juliet, StanzaType::kNone, "", "/>");
  EXPECT_THAT(world_.Take(),
              UnorderedElementsAre(
                  "4 <presence to='juliet@example.org' from='juliet@example.org/balcony'/>",
                  "1 <presence to='romeo@example.org' from='juliet@example.org/balcony'/>",
                  "2 <presence to='romeo@example.org' from='juliet@example.org/balcony'/>",
                  "4 <presence to='juliet@example.org/balcony' from='romeo@example.org/garden'/>",
                  "4 <presence to='juliet@example.org/balcony' from='romeo@example.org/phone'/>",
                  "4 <presence to='juliet@example.org/balcony' from='nurse@example.org/house'/>"));
  world_.SendAndSettle(juliet, StanzaType::kNone, "", "><show>away</show></presence>");
  EXPECT_THAT(world_.Take(), SizeIs(3));
  world_.SendAndSettle(romeo, StanzaType::kUnavailable, "", " type='unavailable'/>");
  EXPECT_THAT(world_.Take(),
              Contains("4 <presence to='juliet@example.org' from='romeo@example.org/garden' "
                       "type='unavailable'/>"));
  world_.End(juliet);
  EXPECT_THAT(world_.TakeWhen(1),
              ElementsAre("2 <presence to='romeo@example.org' from='juliet@example.org/balcony' "
                          "type='unavailable'/>"));
}

TEST_F(Contacts, ThatAManagerCannotReachAtOnceAreToldLaterUnlessItIsOld) {
  world_.Befriend(kRomeo, kJuliet);
  Online(kRomeo, "garden");
  const SessionPtr juliet = Online(kJuliet, "balcony");
  world_.redis.Run([&] { world_.links->refuse = 2; });  // herself, and Romeo
  world_.SendAndSettle(juliet, StanzaType::kNone, "", "><show>away</show></presence>");
  EXPECT_THAT(world_.TakeWhen(2), Contains(AllOf(StartsWith("1 "), HasSubstr("away"))));
  // One that is overtaken is not sent behind the newer one.
  auto fanout_links = [&](int refuse) { world_.redis.Run([&] { world_.links->refuse = refuse; }); };
  fanout_links(2);
  world_.Send(juliet, StanzaType::kNone, "", "><show>dnd</show></presence>");
  world_.Send(juliet, StanzaType::kNone, "", "><show>xa</show></presence>");
  world_.Settle(juliet);
  EXPECT_TRUE(runtime::Eventually([&] {
    return world_.redis.Get([&] {
      for (const std::string& one : world_.links->got) {
        if (one.starts_with("1 ") && one.find("xa") != std::string::npos) return true;
      }
      return false;
    });
  }));
  std::vector<std::string> romeo_got;
  for (const std::string& one : world_.Take()) {
    if (one.starts_with("1 ")) romeo_got.push_back(one);
  }
  EXPECT_THAT(romeo_got.back(), HasSubstr("xa"));
}

TEST_F(Contacts, CanBeProbedByWhoIsSubscribed) {
  world_.Befriend(kRomeo, kJuliet);
  const SessionPtr romeo = Online(kRomeo, "garden");
  world_.SendAndSettle(romeo, StanzaType::kProbe, kJuliet, " type='probe' id='p1'/>");
  EXPECT_THAT(world_.Take(),
              ElementsAre("1 <presence to='romeo@example.org/garden' from='juliet@example.org' "
                          "type='unavailable'/>"));
  Online(kJuliet, "balcony");
  world_.SendAndSettle(romeo, StanzaType::kProbe, kJuliet, " type='probe' id='p2'/>");
  EXPECT_THAT(world_.Take(), ElementsAre("1 <presence to='romeo@example.org/garden' "
                                         "from='juliet@example.org/balcony'/>"));
  world_.SendAndSettle(world_.sessions.back(), StanzaType::kUnavailable, "",
                       " type='unavailable' id='u'><status>asleep</status></presence>");
  world_.Take();
  world_.SendAndSettle(romeo, StanzaType::kProbe, kJuliet, " type='probe'/>");
  EXPECT_THAT(world_.Take(),
              ElementsAre(AllOf(StartsWith("1 <presence to='romeo@example.org/garden'"),
                                HasSubstr(" from='juliet@example.org'"),
                                HasSubstr(" type='unavailable'"), Not(HasSubstr(" id=")),
                                HasSubstr("<status>asleep</status><delay xmlns='urn:xmpp:delay' "
                                          "from='juliet@example.org' stamp='20"))));
  world_.SendAndSettle(romeo, StanzaType::kProbe, kNurse, " type='probe' id='p3'/>");
  EXPECT_THAT(world_.Take(), ElementsAre(HasSubstr("type='unsubscribed'")));
}

TEST_F(Contacts, WhoseSessionsAreAnnouncedLaterAreShownLater) {
  world_.Befriend(kRomeo, kJuliet);
  world_.redis.Run([&] { world_.generation->SawOlderAnnouncement(); });
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(juliet, StanzaType::kNone, "", "/>");
  // Romeo was there all the time; Redis did not know.
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  cluster::SessionRecord row = world_.redis.Get([&] { return romeo->record; });
  row.available = true;
  row.presence = "<presence><show>chat</show></presence>";
  row.presence_number = 7;
  const auto account = romeo->account();
  auto written = world_.redis.Wait([&] { return world_.registry->Update(account, row); });
  ASSERT_TRUE(written.has_value());
  const auto shown = [&] {
    return world_.redis.Get([&] { return std::count(world_.links->got.begin(), world_.links->got.end(),
        "1 <presence to='juliet@example.org/balcony' from='romeo@example.org/garden'>"
        "<show>chat</show></presence>"); });
  };
  EXPECT_EQ(shown(), 0);
  EXPECT_TRUE(runtime::Eventually([&] { return shown() == 1; }));
}

TEST_F(Contacts, TakenAwayByTheFilterAreNeitherToldNorShown) {
  world_.Befriend(kRomeo, kJuliet);
  world_.redis.Run([&] {
    world_.shard.audience_filter = [](xmpp::BareJid, std::vector<xmpp::BareJid>* contacts)
        -> runtime::Task<void> {
      contacts->clear();
      co_return;
    };
  });
  Online(kRomeo, "garden");
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  world_.SendAndSettle(juliet, StanzaType::kNone, "", "/>");
  EXPECT_THAT(world_.Take(), ElementsAre(StartsWith("2 <presence to='juliet@example.org' "
                                                    "from='juliet@example.org/balcony'")));
}

// The ticket with the list dies with the manager; the reaper has only the row.
TEST_F(Contacts, ThatWereShownDirectedPresenceAreToldByTheReaperAsWell) {
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  const SessionPtr juliet = Online(kJuliet, "balcony");
  world_.SendAndSettle(juliet, StanzaType::kNone, romeo->full().ToString(), "/>");
  world_.Take();
  const auto account = juliet->account();
  auto rows = world_.redis.Wait([&] { return world_.registry->EndAllOf(account, "connmgr-1", 7); });
  ASSERT_TRUE(rows.has_value());
  ASSERT_THAT(*rows, SizeIs(1));
  world_.redis.Run([&] { world_.presence.OnSessionEnded(account, rows->front(), {}); });
  EXPECT_THAT(world_.TakeWhen(1),
              ElementsAre("1 <presence to='romeo@example.org/garden' "
                          "from='juliet@example.org/balcony' type='unavailable'/>"));
}

TEST_F(Contacts, AreKeptApartFromWhoOnlyStandsInTheRoster) {
  world_.SetItem(kJuliet, kRomeo, {.subscription = Subscription::kFrom});
  world_.SetItem(kJuliet, kNurse, {.subscription = Subscription::kTo});
  world_.SetItem(kJuliet, "elsewhere@example.net", {.subscription = Subscription::kBoth});
  world_.SetItem(kJuliet, "room@example.org/nick", {.subscription = Subscription::kBoth});
  const auto audience = world_.redis.Wait(
      [&] { return AudienceOf(&world_.shard, xmpp::BareJid::FromNormalized(kJuliet)); });
  EXPECT_THAT(audience.told, ElementsAre(xmpp::BareJid::FromNormalized(kRomeo)));
  EXPECT_THAT(audience.shown, ElementsAre(xmpp::BareJid::FromNormalized(kNurse)));
  const auto may = [&](const char* jid) {
    const auto subscribed = world_.redis.Wait([&] {
      return world_.rosters.IsSubscribed(xmpp::BareJid::FromNormalized(kJuliet),
                                         xmpp::Jid::FromNormalized(jid));
    });
    return subscribed.has_value() && *subscribed;
  };
  EXPECT_TRUE(may("romeo@example.org/garden"));
  EXPECT_TRUE(may("juliet@example.org/phone"));
  EXPECT_FALSE(may(kNurse));
}

}  // namespace
}  // namespace business
