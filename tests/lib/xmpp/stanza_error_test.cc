#include "lib/xmpp/stanza_error.h"

#include <gtest/gtest.h>

#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"

namespace xmpp {
namespace {

TEST(StanzaError, IsWrittenByTheRfc) {
  EXPECT_EQ(StanzaError::ItemNotFound().ToXml(),
            "<error type='cancel'><item-not-found "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
  EXPECT_EQ(
      StanzaError::BadRequest("a<b").ToXml(),
      "<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
      "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>a&lt;b</text></error>");
}

TEST(StanzaError, CarriesAnApplicationCondition) {
  StanzaError e = StanzaError::PolicyViolation();
  e.app_condition = "<too-many-stanzas xmlns='urn:xmpp:errors'/>";
  const auto xml = Element::Parse(e.ToXml());
  ASSERT_TRUE(xml);
  EXPECT_EQ(xml->Attr("type"), "modify");
  EXPECT_NE(xml->Find("policy-violation", ns::kStanzaErrors), nullptr);
  EXPECT_NE(xml->Find("too-many-stanzas", ns::kAppErrors), nullptr);
}

TEST(StanzaError, HasTheRfcsNamesAndTypes) {
  EXPECT_EQ(StanzaError::RemoteServerNotFound().condition, "remote-server-not-found");
  EXPECT_EQ(StanzaError::ServiceUnavailable().type, ErrorType::kCancel);
  EXPECT_EQ(StanzaError::SubscriptionRequired().type, ErrorType::kAuth);
  EXPECT_EQ(StanzaError::ResourceConstraint().type, ErrorType::kWait);
  EXPECT_EQ(StanzaError::JidMalformed().condition, "jid-malformed");
  EXPECT_EQ(ErrorTypeName(ErrorType::kContinue), "continue");
}

}  // namespace
}  // namespace xmpp
