#include "business/message/forwarded_message.h"

#include <gtest/gtest.h>

#include "business/message/stanza_ids.h"
#include "lib/xmpp/element.h"

namespace business {
namespace {

constexpr char kMessage[] =
    "<message from='a@example.org/x' to='b@example.org' type='chat'><body>hi</body>"
    "<html xmlns='http://jabber.org/protocol/xhtml-im'/></message>";

TEST(CarbonCopy, IsWhatACanonicalWriterWrites) {
  const std::string copy =
      CarbonCopy(CopyDirection::kReceived, xmpp::StanzaType::kChat, kMessage);
  EXPECT_EQ(copy,
            "<message type='chat'><received xmlns='urn:xmpp:carbons:2'>"
            "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' "
            "from='a@example.org/x' to='b@example.org' type='chat'><body>hi</body>"
            "<html xmlns='http://jabber.org/protocol/xhtml-im'/></message></forwarded></received>"
            "</message>");
  const auto parsed = xmpp::Element::Parse(copy);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->Write(), copy);
}

TEST(ArchiveResult, NamesQueryRowAndMoment) {
  const std::string result = ArchiveResult("f'1", "abc", 1278803305000, kMessage);
  const auto parsed = xmpp::Element::Parse(result);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->Write(), result);
  const xmpp::Element* child = parsed->Find("result", "urn:xmpp:mam:2");
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->Attr("queryid"), "f'1");
  EXPECT_EQ(child->Attr("id"), "abc");
  const xmpp::Element* forwarded = child->Find("forwarded", "urn:xmpp:forward:0");
  ASSERT_NE(forwarded, nullptr);
  EXPECT_EQ(forwarded->Find("delay", "urn:xmpp:delay")->Attr("stamp"), "2010-07-10T23:08:25Z");
  EXPECT_NE(forwarded->Find("message", "jabber:client"), nullptr);
}

TEST(WithDelay, IsSaidOnceADomain) {
  const std::string once = WithDelay("<message><body>x</body></message>", "example.org", 1000);
  EXPECT_EQ(once,
            "<message><body>x</body><delay xmlns='urn:xmpp:delay' from='example.org' "
            "stamp='1970-01-01T00:00:01Z'/></message>");
  EXPECT_EQ(WithDelay(once, "example.org", 2000), once);
  EXPECT_EQ(WithDelay("<message/>", "example.org", 1000),
            "<message><delay xmlns='urn:xmpp:delay' from='example.org' "
            "stamp='1970-01-01T00:00:01Z'/></message>");
}

TEST(WithoutStamp, GivesBackWhatWasStamped) {
  xmpp::Stanza message;
  message.bytes = "<message><body>x</body></message>";
  StampMessage(&message, {"example.org"}, "b@example.org", "abc");
  EXPECT_NE(message.bytes.find("stanza-id"), std::string::npos);
  EXPECT_EQ(WithoutStamp(message.bytes, "abc"), "<message><body>x</body></message>");
  EXPECT_EQ(WithoutStamp(message.bytes, "other"), message.bytes);
}

}  // namespace
}  // namespace business
