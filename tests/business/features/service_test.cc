// What the service says of itself: contacts, capabilities, external services, last activity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/features/external_services.h"
#include "business/pep/caps_hash.h"
#include "lib/xmpp/data_form.h"
#include "tests/business/features/feature_world.h"

namespace business {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using xmpp::StanzaType;

constexpr char kJuliet[] = "juliet@example.org";
constexpr char kRomeo[] = "romeo@example.org";
constexpr char kNurse[] = "nurse@example.org";

ServiceOptions Options() {
  ServiceOptions options;
  options.contacts.fields = {
      {"abuse-addresses", {"mailto:abuse@example.org", "xmpp:a@example.org"}}};
  options.external = {
      {.type = "turn", .host = "turn.example.org", .transport = "udp", .port = 3478, .secret = "s"},
      {.type = "stun", .host = "stun.example.org", .port = 3478},
      {.type = "ftp", .host = "ftp.example.org", .username = "guest", .password = "guest"}};
  return options;
}

class Service : public testing::Test {
 protected:
  std::string Get(const SessionPtr& who, const std::string& to, const std::string& payload) {
    const auto got = world_.Ask(who, StanzaType::kGet, to, payload);
    return got.size() == 1 ? got[0] : std::to_string(got.size()) + " stanzas";
  }
  xmpp::Element Payload(const std::string& stanza) {
    auto iq = xmpp::Element::Parse(stanza.substr(stanza.find('<')));
    EXPECT_TRUE(iq && iq->FirstChild()) << stanza;
    return iq && iq->FirstChild() ? *iq->FirstChild() : xmpp::Element();
  }

  runtime::RedisServer server_;
  FeatureLoop world_{server_.address(), Options()};
};

TEST_F(Service, ContactsAreAFormOfDisco) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const auto query =
      Payload(Get(juliet, "example.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
  const auto form = xmpp::DataForm::Below(query);
  ASSERT_TRUE(form);
  EXPECT_EQ(form->type, "result");
  EXPECT_EQ(form->FormType(), "http://jabber.org/network/serverinfo");
  EXPECT_THAT(form->Find("abuse-addresses")->values,
              ElementsAre("mailto:abuse@example.org", "xmpp:a@example.org"));
}

TEST_F(Service, TheHashInTheStreamsFeaturesIsThatOfDisco) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const std::string features = world_.redis.Get([&] { return world_.listed->StreamFeatures(); });
  const auto wrapped = xmpp::Element::Parse("<f>" + features + "</f>");
  ASSERT_TRUE(wrapped);
  const xmpp::Element* c = wrapped->Find("c", "http://jabber.org/protocol/caps");
  ASSERT_NE(c, nullptr);
  const CapsId caps{std::string(c->Attr("hash")), std::string(c->Attr("node")),
                    std::string(c->Attr("ver"))};
  const auto whole =
      Payload(Get(juliet, "example.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
  EXPECT_EQ(CheckCaps(caps, whole), CapsCheck::kVerified);
  const auto at_node = Payload(Get(juliet, "example.org",
                                   "<query xmlns='http://jabber.org/protocol/disco#info' node='" +
                                       caps.node + "#" + caps.ver + "'/>"));
  EXPECT_EQ(CheckCaps(caps, at_node), CapsCheck::kVerified);
}

// What coturn computes from use-auth-secret; the figure is from `openssl dgst -sha1 -hmac`.
TEST(TurnCredentials, AreAnHmacOfExpiryAndUser) {
  const TurnCredentials made = MakeTurnCredentials("north", "juliet", 1700000000);
  EXPECT_EQ(made.username, "1700000000:juliet");
  EXPECT_EQ(made.password, "uwI1whdHXUffOmvQlNqkWcD2Miw=");
}

TEST_F(Service, ExternalServicesComeWithCredentials) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const auto all = Payload(Get(juliet, "example.org", "<services xmlns='urn:xmpp:extdisco:2'/>"));
  ASSERT_EQ(all.Elements().size(), 3u);
  const xmpp::Element& turn = *all.Elements()[0];
  EXPECT_EQ(turn.Attr("host"), "turn.example.org");
  EXPECT_EQ(turn.Attr("restricted"), "1");
  const std::string username(turn.Attr("username"));
  const size_t colon = username.find(':');
  EXPECT_EQ(turn.Attr("password"), MakeTurnCredentials("s", username.substr(colon + 1),
                                                       std::stoll(username.substr(0, colon)))
                                       .password);
  EXPECT_THAT(username, Not(HasSubstr("juliet")));
  EXPECT_FALSE(all.Elements()[1]->HasAttribute("username"));
  EXPECT_EQ(all.Elements()[2]->Attr("password"), "guest");

  const auto stun =
      Payload(Get(juliet, "example.org", "<services xmlns='urn:xmpp:extdisco:2' type='stun'/>"));
  ASSERT_EQ(stun.Elements().size(), 1u);
  EXPECT_EQ(stun.Attr("type"), "stun");
  const auto ask = [&](const std::string& service) {
    return Get(juliet, "example.org",
               "<credentials xmlns='urn:xmpp:extdisco:2'>" + service + "</credentials>");
  };
  EXPECT_THAT(ask("<service type='turn' host='turn.example.org' port='3478'/>"),
              HasSubstr("username='"));
  EXPECT_THAT(ask("<service type='turn' host='elsewhere.example'/>"), HasSubstr("<item-not-found"));
  EXPECT_THAT(ask("<service host='turn.example.org'/>"), HasSubstr("<bad-request"));
}

TEST_F(Service, LastActivityIsForThoseWhoSeeThePresence) {
  const std::string ask = "<query xmlns='jabber:iq:last'/>";
  world_.Befriend(kJuliet, kRomeo);
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  const SessionPtr nurse = world_.Bind(kNurse, "hall");
  EXPECT_THAT(Get(juliet, "example.org", ask), HasSubstr("seconds='0'"));
  EXPECT_THAT(Get(romeo, kJuliet, ask), HasSubstr("<item-not-found"));
  EXPECT_THAT(Get(nurse, kJuliet, ask), HasSubstr("<forbidden"));
  EXPECT_THAT(Get(nurse, "nobody@example.org", ask), HasSubstr("<forbidden"));
  world_.SendAndSettle(juliet, StanzaType::kNone, "", "/>");
  EXPECT_THAT(Get(romeo, kJuliet, ask), HasSubstr("seconds='0'/>"));
  world_.SendAndSettle(juliet, StanzaType::kUnavailable, "",
                       " type='unavailable'><status>Gone</status></presence>");
  EXPECT_THAT(Get(romeo, kJuliet, ask), HasSubstr("seconds='0'>Gone</query>"));
  EXPECT_THAT(Get(juliet, "", ask), HasSubstr(">Gone</query>"));
}

TEST_F(Service, ItemsOfAccountsAreForThoseWhoSeeThePresence) {
  const std::string ask = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
  world_.Befriend(kJuliet, kRomeo);
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  EXPECT_THAT(Get(romeo, kJuliet, ask),
              AllOf(HasSubstr("type='result'"), HasSubstr("disco#items")));
  EXPECT_THAT(Get(romeo, kNurse, ask), HasSubstr("<service-unavailable"));
}

}  // namespace
}  // namespace business
