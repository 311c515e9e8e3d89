// What the features of the list answer, asked as the dispatcher asks them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "business/features/feature_list.h"
#include "business/routing/feature_set.h"
#include "lib/xmpp/namespaces.h"
#include "tests/business/features/feature_world.h"

namespace business {
namespace {

namespace ns = xmpp::ns;

Task<void> Ask(const IqHandler& handler, Iq iq, std::optional<IqReply>* reply) {
  *reply = co_await handler(std::move(iq));
}

class Features : public testing::Test {
 protected:
  // nullopt: no feature claims it.
  std::optional<IqReply> Answer(IqType type, Addressee addressee, const xmpp::Element& payload) {
    const IqHandler* handler = set_.FindIq(type, payload.ns(), payload.name(), addressee);
    if (handler == nullptr) return std::nullopt;
    Iq iq;
    iq.type = type;
    iq.id = "1";
    iq.bytes = "<iq type='get' id='1'>" + payload.Write() + "</iq>";
    std::optional<IqReply> reply;
    runtime::Spawn(Ask(*handler, std::move(iq), &reply));
    EXPECT_TRUE(reply.has_value()) << "the handler waits for something";
    return reply;
  }
  xmpp::Element Payload(IqType type, Addressee addressee, const xmpp::Element& payload) {
    const auto reply = Answer(type, addressee, payload);
    EXPECT_TRUE(reply && !reply->error() && reply->payload());
    if (!reply || reply->error() || !reply->payload()) return {};
    return *reply->payload();
  }

  static std::set<std::string> Vars(const xmpp::Element& query) {
    std::set<std::string> vars;
    for (const xmpp::Element* child : query.Elements()) {
      if (child->name() != "feature") continue;
      EXPECT_TRUE(vars.insert(std::string(child->Attr("var"))).second) << child->Attr("var");
    }
    return vars;
  }

  Shard shard_{.domains = {"example.org"}};
  FeatureSet set_{AllFeatures({.shard = &shard_})};
};

TEST_F(Features, FitTogether) { EXPECT_THAT(set_.Check(), testing::IsEmpty()); }

TEST_F(Features, TellWhatTheServerIs) {
  const auto query =
      Payload(IqType::kGet, Addressee::kServer, xmpp::Element("query", ns::kDiscoInfo));
  const xmpp::Element* identity = query.Find("identity", ns::kDiscoInfo);
  ASSERT_NE(identity, nullptr);
  EXPECT_EQ(identity->Attr("category"), "server");
  EXPECT_EQ(identity->Attr("type"), "im");
  EXPECT_THAT(Vars(query),
              testing::IsSupersetOf({std::string(ns::kDiscoInfo), std::string(ns::kDiscoItems),
                                     std::string(ns::kPing), std::string(ns::kTime),
                                     std::string(ns::kVersion)}));
}

// What is asked of accounts is looked up.
class AccountFeatures : public testing::Test {
 protected:
  // What comes back, as text.
  std::string Disco(const std::string& space, const std::string& to, const std::string& node = "") {
    if (!session_) session_ = world_.Bind("juliet@example.org", "balcony");
    const std::string with = node.empty() ? "" : " node='" + node + "'";
    const auto got = world_.Ask(session_, xmpp::StanzaType::kGet, to,
                                "<query xmlns='" + space + "'" + with + "/>");
    return got.size() == 1 ? got[0] : std::to_string(got.size()) + " stanzas";
  }

  runtime::RedisServer server_;
  FeatureLoop world_{server_.address()};
  SessionPtr session_;
};

TEST_F(AccountFeatures, TellWhatOnesOwnAccountIs) {
  const std::string answer = Disco(std::string(ns::kDiscoInfo), "");
  EXPECT_THAT(answer, testing::HasSubstr("<identity category='account' type='registered'/>"));
  EXPECT_THAT(answer, testing::HasSubstr(ns::kStanzaId));
}

TEST_F(AccountFeatures, TellNothingOfOthersAccounts) {
  for (std::string_view space : {ns::kDiscoInfo, ns::kDiscoItems}) {
    // As if it did not exist.
    EXPECT_THAT(Disco(std::string(space), "romeo@example.org"),
                testing::HasSubstr("<service-unavailable"));
  }
}

TEST_F(AccountFeatures, KnowNoNodes) {
  for (const char* to : {"", "example.org"}) {
    for (std::string_view space : {ns::kDiscoInfo, ns::kDiscoItems}) {
      EXPECT_THAT(Disco(std::string(space), to, "nowhere"), testing::HasSubstr("<item-not-found"));
    }
  }
}

TEST_F(Features, AnswerNoPingsForOthers) {
  EXPECT_FALSE(Answer(IqType::kGet, Addressee::kAccount, xmpp::Element("ping", ns::kPing)));
}

TEST_F(Features, HaveNoItemsYet) {
  const auto query =
      Payload(IqType::kGet, Addressee::kServer, xmpp::Element("query", ns::kDiscoItems));
  EXPECT_EQ(query, xmpp::Element("query", ns::kDiscoItems));
}

TEST_F(Features, AnswerPings) {
  for (Addressee addressee : {Addressee::kServer, Addressee::kOwnAccount}) {
    const auto reply = Answer(IqType::kGet, addressee, xmpp::Element("ping", ns::kPing));
    ASSERT_TRUE(reply && !reply->error());
    EXPECT_FALSE(reply->payload());
  }
}

TEST_F(Features, TellTheVersionAndNotTheSystem) {
  const auto query =
      Payload(IqType::kGet, Addressee::kServer, xmpp::Element("query", ns::kVersion));
  EXPECT_EQ(query.Find("name", ns::kVersion)->Text(), "Xylem");
  EXPECT_EQ(query.Find("version", ns::kVersion)->Text(), XYLEM_VERSION);
  EXPECT_EQ(query.Find("os", ns::kVersion), nullptr);
}

TEST_F(Features, TellTheTimeAsXep0082Writes) {
  const auto time = Payload(IqType::kGet, Addressee::kServer, xmpp::Element("time", ns::kTime));
  EXPECT_EQ(time.Find("tzo", ns::kTime)->Text(), "+00:00");
  EXPECT_TRUE(std::regex_match(time.Find("utc", ns::kTime)->Text(),
                               std::regex("[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:"
                                          "[0-6][0-9]Z")));
}

TEST_F(Features, EstablishASessionForOldClients) {
  for (Addressee addressee : {Addressee::kServer, Addressee::kOwnAccount}) {
    const auto reply = Answer(IqType::kSet, addressee, xmpp::Element("session", ns::kSession));
    ASSERT_TRUE(reply && !reply->error());
  }
  EXPECT_THAT(set_.StreamFeatures(),
              testing::HasSubstr(
                  "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"));
}

}  // namespace
}  // namespace business
