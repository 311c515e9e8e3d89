// Private XML and vCards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/features/private_xml.h"
#include "business/features/vcard_temp.h"
#include "tests/business/features/feature_world.h"

namespace business {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using xmpp::StanzaType;

constexpr char kJuliet[] = "juliet@example.org";
constexpr char kRomeo[] = "romeo@example.org";

class StoredXml : public testing::Test {
 protected:
  std::vector<std::string> Get(const SessionPtr& who, const std::string& payload,
                               const std::string& to = "") {
    return world_.Ask(who, StanzaType::kGet, to, payload);
  }
  std::vector<std::string> Set(const SessionPtr& who, const std::string& payload,
                               const std::string& to = "") {
    return world_.Ask(who, StanzaType::kSet, to, payload);
  }
  static std::string Private(const std::string& inner) {
    return "<query xmlns='jabber:iq:private'>" + inner + "</query>";
  }

  runtime::RedisServer server_;
  FeatureLoop world_{server_.address()};
};

TEST_F(StoredXml, PrivateElementsComeBackAsTheyWereStored) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(Get(juliet, Private("<prefs xmlns='urn:x'/>")),
              ElementsAre(EndsWith(Private("<prefs xmlns='urn:x'/>") + "</iq>")));
  EXPECT_THAT(Set(juliet, Private("<prefs xmlns='urn:x'><a>1</a></prefs>"
                                  "<storage xmlns='storage:bookmarks'><conference jid='r@c'/></storage>")),
              ElementsAre(HasSubstr("type='result'")));
  EXPECT_THAT(Get(juliet, Private("<prefs xmlns='urn:x'/>")),
              ElementsAre(HasSubstr("<prefs xmlns='urn:x'><a>1</a></prefs>")));
  EXPECT_THAT(Get(juliet, Private("<storage xmlns='storage:bookmarks'/>")),
              ElementsAre(HasSubstr("<conference jid='r@c'/>")));
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  EXPECT_THAT(Get(romeo, Private("<prefs xmlns='urn:x'/>")),
              ElementsAre(HasSubstr("<prefs xmlns='urn:x'/>")));
}

TEST_F(StoredXml, PrivateElementsAreRefusedWhereTheXepSays) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  EXPECT_THAT(Get(juliet, Private("")), ElementsAre(HasSubstr("<not-acceptable")));
  EXPECT_THAT(Set(juliet, Private("")), ElementsAre(HasSubstr("<not-acceptable")));
  EXPECT_THAT(Set(juliet, Private("<query xmlns='jabber:iq:roster'/>")),
              ElementsAre(HasSubstr("<not-acceptable")));
  EXPECT_THAT(Get(juliet, Private("<prefs xmlns='urn:x'/>"), kRomeo),
              ElementsAre(HasSubstr("<forbidden")));
  const std::string big(kMaxPrivateElement, 'x');
  EXPECT_THAT(Set(juliet, Private("<prefs xmlns='urn:x'>" + big + "</prefs>")),
              ElementsAre(HasSubstr("<policy-violation")));
}

TEST(PrivateXmlMirror, IsReadFirstAndToldOfWhatIsStored) {
  runtime::RedisServer server;
  PresenceWorld world(server.address());
  std::vector<std::string> told;
  std::optional<xmpp::Element> there;
  PrivateXmlMirror mirror{
      .ns = "storage:bookmarks",
      .name = "storage",
      .read = [&](xmpp::BareJid) -> Task<runtime::Result<std::optional<xmpp::Element>>> {
        co_return there;
      },
      .written = [&](business::Iq, xmpp::Element element) -> Task<runtime::Result<void>> {
        told.push_back(element.Write());
        co_return runtime::Result<void>();
      }};
  std::vector<Feature> features;
  features.push_back(PrivateXml(&world.shard, {mirror}));
  FeatureSet set(std::move(features));
  const auto ask = [&](IqType type, const std::string& inner) {
    auto reply = world.redis.Wait([&]() -> Task<runtime::Result<IqReply>> {
      business::Iq iq;
      iq.type = type;
      iq.from = xmpp::Jid::FromNormalized("juliet@example.org/balcony");
      iq.to = xmpp::Jid::FromNormalized("juliet@example.org");
      iq.bytes = "<iq type='set' id='1'><query xmlns='jabber:iq:private'>" + inner + "</query></iq>";
      const IqHandler* handler =
          set.FindIq(type, "jabber:iq:private", "query", Addressee::kOwnAccount);
      return [](const IqHandler* h, business::Iq q) -> Task<runtime::Result<IqReply>> {
        IqReply r = co_await (*h)(std::move(q));
        co_return r;
      }(handler, std::move(iq));
    });
    return *reply;
  };
  const std::string stored = "<storage xmlns='storage:bookmarks'><conference jid='a@b'/></storage>";
  EXPECT_EQ(ask(IqType::kSet, stored).error(), nullptr);
  EXPECT_THAT(told, ElementsAre(stored));
  const std::string asked = "<storage xmlns='storage:bookmarks'/>";
  EXPECT_THAT(ask(IqType::kGet, asked).payload()->Write(), HasSubstr("jid='a@b'"));
  there = xmpp::Element::Parse("<storage xmlns='storage:bookmarks'><conference jid='c@d'/></storage>");
  EXPECT_THAT(ask(IqType::kGet, asked).payload()->Write(), HasSubstr("jid='c@d'"));
}

TEST_F(StoredXml, AVcardIsSetByItsOwnerAndReadByEverybody) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  const std::string ask = "<vCard xmlns='vcard-temp'/>";
  EXPECT_THAT(Get(juliet, ask), ElementsAre(HasSubstr("<item-not-found")));
  EXPECT_THAT(Get(romeo, ask, kJuliet), ElementsAre(HasSubstr("<service-unavailable")));
  EXPECT_THAT(Get(romeo, ask, "nobody@example.org"),
              ElementsAre(HasSubstr("<service-unavailable")));
  const std::string card = "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>";
  EXPECT_THAT(Set(juliet, card), ElementsAre(HasSubstr("type='result'")));
  EXPECT_THAT(Get(juliet, ask), ElementsAre(HasSubstr(card)));
  EXPECT_THAT(Get(romeo, ask, kJuliet), ElementsAre(HasSubstr(card)));
  EXPECT_THAT(Set(romeo, card, kJuliet), ElementsAre(HasSubstr("<forbidden")));
  EXPECT_THAT(Set(juliet, "<vCard xmlns='vcard-temp'><FN>" + std::string(kMaxVcard, 'x') +
                              "</FN></vCard>"),
              ElementsAre(HasSubstr("<policy-violation")));
  EXPECT_THAT(Get(juliet, ask), ElementsAre(HasSubstr(card)));
}

}  // namespace
}  // namespace business
