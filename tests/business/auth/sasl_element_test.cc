#include "business/auth/sasl_element.h"

#include <gtest/gtest.h>

namespace business {
namespace {

using Kind = SaslElement::Kind;

TEST(SaslElement, ReadsTheClientsThreeElements) {
  const auto auth = ReadSaslElement(
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>");
  ASSERT_TRUE(auth);
  EXPECT_EQ(auth->kind, Kind::kAuth);
  EXPECT_EQ(auth->mechanism, "PLAIN");
  EXPECT_EQ(auth->data, std::string("\0a\0b", 4));
  const auto response = ReadSaslElement("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->kind, Kind::kResponse);
  EXPECT_EQ(response->data, "");
  EXPECT_EQ(ReadSaslElement("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")->kind,
            Kind::kAbort);
}

// RFC 6120 §6.4.2.
TEST(SaslElement, TellsAnEmptyInitialResponseFromNone) {
  const std::string open = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>";
  EXPECT_EQ(ReadSaslElement(open + "=</auth>")->data, "");
  const auto none = ReadSaslElement("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  EXPECT_EQ(none->data, std::nullopt);
  EXPECT_FALSE(none->bad_encoding);
}

TEST(SaslElement, MarksWhatIsNotBase64) {
  for (const char* text : {"a", "AGEAYg", " AGEAYg==", "AGEA\nYg==", "####", "AGEAYh=="}) {
    const auto read = ReadSaslElement(
        std::string("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>") + text + "</response>");
    ASSERT_TRUE(read) << text;
    EXPECT_TRUE(read->bad_encoding) << text;
  }
}

TEST(SaslElement, RefusesWhatIsNotSasl) {
  for (const char* text :
       {"", "<auth/>", "<auth xmlns='urn:xmpp:sasl:2'/>", "<iq/>",
        "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><x/></auth>", "<auth xmlns='urn"}) {
    EXPECT_FALSE(ReadSaslElement(text)) << text;
  }
}

TEST(SaslElement, WritesAnswers) {
  EXPECT_EQ(WriteChallenge("hi"),
            "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>aGk=</challenge>");
  EXPECT_EQ(WriteChallenge(""), "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  EXPECT_EQ(WriteSuccess(""), "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  EXPECT_EQ(WriteFailure("aborted"),
            "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>");
}

TEST(SaslElement, WritesWhatAStreamOffers) {
  EXPECT_EQ(WriteOffer({}), "");
  EXPECT_EQ(WriteOffer({.mechanisms = {"A", "B"}}),
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>A</mechanism>"
            "<mechanism>B</mechanism></mechanisms>");
  EXPECT_EQ(WriteOffer({.mechanisms = {"A-PLUS"}, .channel_bindings = {"tls-exporter"}}),
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>A-PLUS</mechanism>"
            "</mechanisms><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
            "<channel-binding type='tls-exporter'/></sasl-channel-binding>");
}

}  // namespace
}  // namespace business
