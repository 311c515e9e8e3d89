#include "business/message/stanza_ids.h"

#include <gtest/gtest.h>

#include "business/session/shard.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

const std::vector<std::string> kDomains{"example.org", "example.com"};

std::string Stamped(const std::string& bytes, uint64_t flags = 0) {
  xmpp::Stanza message;
  message.bytes = bytes;
  message.flags = flags;
  StampMessage(&message, kDomains, "juliet@example.org", "id1");
  return message.bytes;
}

std::string StanzaId(const std::string& by, const std::string& id) {
  return "<stanza-id xmlns='urn:xmpp:sid:0' by='" + by + "' id='" + id + "'/>";
}

const std::string kOurs = StanzaId("juliet@example.org", "id1");

TEST(StanzaIds, AreTheLastChild) {
  EXPECT_EQ(Stamped("<message type='chat'><body>hi</body></message>"),
            "<message type='chat'><body>hi</body>" + kOurs + "</message>");
}

TEST(StanzaIds, AreAddedToAnEmptyMessage) {
  EXPECT_EQ(Stamped("<message type='chat' id='a/'/>"),
            "<message type='chat' id='a/'>" + kOurs + "</message>");
}

TEST(StanzaIds, ReplaceEveryForgedCopy) {
  const std::string bytes = "<message><body>hi</body>" + StanzaId("juliet@example.org", "forged") +
                            "<x xmlns='jabber:x:oob'/>" + StanzaId("example.org", "forged") +
                            StanzaId("Romeo@EXAMPLE.com", "forged") +
                            StanzaId("juliet@example.org/balcony", "forged") + "</message>";
  EXPECT_EQ(Stamped(bytes, xmpp::kHasStanzaId),
            "<message><body>hi</body><x xmlns='jabber:x:oob'/>" + kOurs + "</message>");
}

TEST(StanzaIds, LeaveThoseOfOthersAndTheClientsOwn) {
  const std::string theirs = StanzaId("room@elsewhere.example", "theirs") +
                             StanzaId("no@@address", "x") +
                             "<origin-id xmlns='urn:xmpp:sid:0' id='mine'/>";
  EXPECT_EQ(Stamped("<message><body>hi</body>" + theirs + "</message>", xmpp::kHasStanzaId),
            "<message><body>hi</body>" + theirs + kOurs + "</message>");
}

TEST(StanzaIds, DoNotLookBelowTheFirstLevel) {
  const std::string inner =
      "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>" +
      StanzaId("juliet@example.org", "archived") + "</message></forwarded>";
  EXPECT_EQ(Stamped("<message>" + inner + StanzaId("juliet@example.org", "forged") + "</message>",
                    xmpp::kHasStanzaId),
            "<message>" + inner + kOurs + "</message>");
}

TEST(StanzaIds, TakeOutDelaysThatTheServerNeverSaid) {
  const auto delay = [](const std::string& from) {
    return "<delay xmlns='urn:xmpp:delay' from='" + from + "' stamp='2002-09-10T23:08:25Z'/>";
  };
  const std::string theirs = delay("romeo@example.org/garden") + delay("room@elsewhere.example");
  EXPECT_EQ(
      Stamped("<message>" + delay("example.org") + theirs + delay("EXAMPLE.org") + "</message>",
              xmpp::kHasDelay),
      "<message>" + theirs + kOurs + "</message>");
}

TEST(StanzaIds, EscapeTheAddress) {
  xmpp::Stanza message;
  message.bytes = "<message/>";
  StampMessage(&message, kDomains, "d'artagnan@example.org", "id1");
  const auto root = xmpp::Element::Parse(message.bytes);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->Find("stanza-id", xmpp::ns::kStanzaId)->Attr("by"), "d'artagnan@example.org");
}

TEST(StanzaIds, StampWhatGoesToAnAccount) {
  const Shard shard{.domains = kDomains};
  const Feature feature = StanzaIds(&shard);
  ASSERT_EQ(feature.stages.size(), 1u);
  EXPECT_EQ(feature.stages[0].stage, Stage::kToAccount);
  EXPECT_EQ(feature.stages[0].kinds, kMessages);
  xmpp::Stanza message;
  message.bytes = "<message/>";
  const auto to = xmpp::Jid::FromNormalized("juliet@example.org/balcony");
  StageEvent event{.stanza = &message, .to = &to};
  event.id.fill('\x7f');
  EXPECT_TRUE(std::holds_alternative<Continue>(feature.stages[0].now(event)));
  EXPECT_EQ(message.bytes, "<message>" +
                               StanzaId("juliet@example.org", cluster::ClusterIdText(event.id)) +
                               "</message>");
}

}  // namespace
}  // namespace business
