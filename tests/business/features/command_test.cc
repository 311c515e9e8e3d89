#include "business/features/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/cluster/ticket_sealer.h"
#include "tests/business/features/feature_world.h"

namespace business {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using xmpp::StanzaType;

constexpr char kJuliet[] = "juliet@example.org";
constexpr char kRomeo[] = "romeo@example.org";
constexpr char kNurse[] = "nurse@example.org";

std::string AttributeOf(const std::string& stanza, const std::string& name) {
  const size_t at = stanza.find(" " + name + "='");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 3;
  return stanza.substr(begin, stanza.find('\'', begin) - begin);
}

ServiceOptions Options() {
  ServiceOptions options;
  options.administrators = {kJuliet};
  options.invitations.per_account = 2;
  options.invitations.landing_page = "https://example.org/invite#{uri}";
  return options;
}

class CommandTest : public testing::Test {
 protected:
  std::string Run(const SessionPtr& who, const std::string& node,
                  const std::string& attributes = "", const std::string& form = "",
                  const std::string& to = "example.org") {
    const auto got = world_.Ask(who, StanzaType::kSet, to,
                                "<command xmlns='http://jabber.org/protocol/commands' node='" +
                                    node + "'" + attributes + ">" + form + "</command>");
    for (const std::string& stanza : got) {
      if (stanza.find("<iq") != std::string::npos && stanza.find(" id='q") != std::string::npos) {
        return stanza;
      }
    }
    return std::to_string(got.size()) + " stanzas";
  }
  static std::string Admin(const std::string& name) {
    return "http://jabber.org/protocol/admin#" + name;
  }
  // Names the command, fills in its form and sends it.
  std::string Complete(const SessionPtr& who, const std::string& node, const std::string& fields) {
    const std::string asked = Run(who, node);
    EXPECT_THAT(asked, HasSubstr("status='executing'"));
    return Run(who, node, " sessionid='" + AttributeOf(asked, "sessionid") + "'",
               "<x xmlns='jabber:x:data' type='submit'>" + fields + "</x>");
  }
  static std::string Field(const std::string& var, const std::string& value) {
    return "<field var='" + var + "'><value>" + value + "</value></field>";
  }
  std::string AddUser(const SessionPtr& who, const std::string& jid,
                      const std::string& again = "x") {
    return Complete(
        who, Admin("add-user"),
        Field("accountjid", jid) + Field("password", "x") + Field("password-verify", again));
  }
  std::string Items(const SessionPtr& who, const std::string& to) {
    const auto got = world_.Ask(who, StanzaType::kGet, to,
                                "<query xmlns='http://jabber.org/protocol/disco#items' "
                                "node='http://jabber.org/protocol/commands'/>");
    return got.empty() ? std::string() : got[0];
  }

  runtime::RedisServer server_;
  FeatureLoop world_{server_.address(), Options()};
};

TEST_F(CommandTest, AreSeenByThoseWhoMayRunThem) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  EXPECT_THAT(Items(juliet, "example.org"), HasSubstr("admin#add-user"));
  EXPECT_THAT(Items(juliet, kJuliet),
              AllOf(HasSubstr("admin#add-user"), HasSubstr("jid='juliet@")));
  EXPECT_THAT(Items(romeo, "example.org"), Not(HasSubstr("admin#")));
  EXPECT_THAT(Run(romeo, Admin("add-user")), HasSubstr("<item-not-found"));
  EXPECT_THAT(Run(juliet, "nowhere"), HasSubstr("<item-not-found"));
}

TEST_F(CommandTest, OfBadShapeAreRefused) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(Run(juliet, Admin("add-user"), " action='jump'"), HasSubstr("<malformed-action"));
  EXPECT_THAT(Run(juliet, Admin("add-user"), " action='prev'"), HasSubstr("<bad-action"));
  EXPECT_THAT(Run(juliet, Admin("add-user"), " sessionid='made-up'"), HasSubstr("<bad-sessionid"));
  const std::string asked = Run(juliet, Admin("add-user"));
  const std::string id = " sessionid='" + AttributeOf(asked, "sessionid") + "'";
  EXPECT_THAT(Run(juliet, Admin("delete-user"), id), HasSubstr("<bad-sessionid"));
  EXPECT_THAT(Run(juliet, Admin("add-user"), id), HasSubstr("<bad-payload"));
  EXPECT_THAT(Run(juliet, Admin("add-user"), id,
                  "<x xmlns='jabber:x:data' type='submit'>" + Field("password", "x") + "</x>"),
              AllOf(HasSubstr("<bad-payload"), HasSubstr("not filled in")));
  EXPECT_THAT(Run(juliet, Admin("add-user"), id + " action='cancel'"),
              HasSubstr("status='canceled'"));
}

TEST_F(CommandTest, TheNextStageIsTakenByAnyServer) {
  FeatureLoop other(server_.address(), Options());
  const SessionPtr here = world_.Bind(kJuliet, "balcony");
  const SessionPtr there = other.Bind(kJuliet, "balcony");
  const std::string asked = Run(here, Admin("get-registered-users-list"));
  const auto got = other.Ask(there, StanzaType::kSet, "example.org",
                             "<command xmlns='http://jabber.org/protocol/commands' node='" +
                                 Admin("get-registered-users-list") + "' sessionid='" +
                                 AttributeOf(asked, "sessionid") +
                                 "'><x xmlns='jabber:x:data' type='submit'/></command>");
  EXPECT_THAT(got, Contains(AllOf(HasSubstr("status='completed'"),
                                  HasSubstr("<value>romeo@example.org</value>"))));
}

TEST_F(CommandTest, AdministratorsMakeAndUnmakeAccounts) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(AddUser(juliet, "tybalt@example.org"),
              AllOf(HasSubstr("status='completed'"), HasSubstr("is added")));
  EXPECT_THAT(AddUser(juliet, "tybalt@example.org"), HasSubstr("<conflict"));
  EXPECT_THAT(AddUser(juliet, "mercutio@example.org", "y"), HasSubstr("<not-acceptable"));
  EXPECT_THAT(AddUser(juliet, "mercutio@elsewhere.net"), HasSubstr("<not-allowed"));
  EXPECT_THAT(Complete(juliet, Admin("change-user-password"),
                       Field("accountjid", "tybalt@example.org") + Field("password", "z")),
              HasSubstr("status='completed'"));
  EXPECT_THAT(Run(juliet, Admin("get-registered-users-num")),
              HasSubstr("var='registeredusersnum' type='text-single'><value>4</value>"));
  EXPECT_THAT(Complete(juliet, Admin("disable-user"), Field("accountjids", "tybalt@example.org")),
              HasSubstr("1 disabled"));
  EXPECT_THAT(Run(juliet, Admin("get-disabled-users-num")), HasSubstr("<value>1</value>"));
  EXPECT_THAT(Complete(juliet, Admin("reenable-user"), Field("accountjids", "tybalt@example.org")),
              HasSubstr("1 re-enabled"));
  EXPECT_THAT(Complete(juliet, Admin("delete-user"), Field("accountjids", "tybalt@example.org")),
              HasSubstr("1 deleted"));
  EXPECT_THAT(Complete(juliet, Admin("delete-user"), Field("accountjids", "tybalt@example.org")),
              HasSubstr("<item-not-found"));
}

TEST_F(CommandTest, AdministratorsSeeAndEndSessions) {
  world_.Befriend(kJuliet, kRomeo);
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  EXPECT_THAT(Run(juliet, Admin("get-online-users-num")), HasSubstr("<value>2</value>"));
  EXPECT_THAT(Run(juliet, Admin("get-idle-users-num")), HasSubstr("<value>2</value>"));
  world_.SendAndSettle(romeo, StanzaType::kNone, "", "/>");
  EXPECT_THAT(Run(juliet, Admin("get-active-users-num")), HasSubstr("<value>1</value>"));
  EXPECT_THAT(Complete(juliet, Admin("user-stats"), Field("accountjid", kRomeo)),
              AllOf(HasSubstr("var='rostersize' type='text-single'><value>1</value>"),
                    HasSubstr("<value>garden</value>")));
  EXPECT_THAT(Complete(juliet, Admin("get-user-roster"), Field("accountjid", kRomeo)),
              HasSubstr("<item jid='juliet@example.org'"));
  EXPECT_THAT(Complete(juliet, Admin("end-user-session"), Field("accountjids", kRomeo)),
              HasSubstr("1 disconnected"));
  EXPECT_TRUE(world_.Rows(kRomeo).empty());
}

TEST_F(CommandTest, AnAnnouncementGoesToEverybodyWhoIsConnected) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  world_.Bind(kRomeo, "garden");
  world_.SendAndSettle(world_.sessions.back(), StanzaType::kNone, "", "/>");
  const std::string asked = Run(juliet, Admin("announce"));
  world_.Iq(juliet, StanzaType::kSet, "a1", "example.org",
            "<command xmlns='http://jabber.org/protocol/commands' node='" + Admin("announce") +
                "' sessionid='" + AttributeOf(asked, "sessionid") +
                "'><x xmlns='jabber:x:data' type='submit'>" +
                Field("announcement", "Closing time") + "</x></command>");
  EXPECT_TRUE(runtime::Eventually([&] {
    for (const std::string& stanza : world_.Take()) {
      if (stanza.starts_with("2 <message") && stanza.find("Closing time") != std::string::npos) {
        return true;
      }
    }
    return false;
  }));
}

TEST_F(CommandTest, InvitationsAreGivenToThoseWhoMay) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const SessionPtr nurse = world_.Bind(kNurse, "hall");
  EXPECT_THAT(Run(nurse, "urn:xmpp:invite#invite"), HasSubstr("<item-not-found"));
  const std::string given = Run(juliet, "urn:xmpp:invite#invite");
  EXPECT_THAT(given,
              AllOf(HasSubstr("<value>xmpp:juliet@example.org?roster;preauth="),
                    HasSubstr(";ibr=y</value>"), HasSubstr("var='expire'"),
                    HasSubstr("https://example.org/invite#xmpp:juliet@example.org%3Froster")));
  EXPECT_THAT(Complete(juliet, "urn:xmpp:invite#create-account", Field("username", "Tybalt")),
              HasSubstr("<value>xmpp:tybalt@example.org?register;preauth="));
  EXPECT_THAT(Run(juliet, "urn:xmpp:invite#invite"), HasSubstr("<resource-constraint"));
}

}  // namespace
}  // namespace business
