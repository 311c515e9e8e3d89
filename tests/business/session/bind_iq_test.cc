#include "business/session/bind_iq.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace business {
namespace {

std::string Iq(const std::string& attributes, const std::string& inner) {
  return "<iq " + attributes + "><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" + inner +
         "</bind></iq>";
}

std::string ErrorOf(const std::string& iq) {
  const auto read = ReadBindIq(iq);
  const auto* refused = std::get_if<RefusedBind>(&read);
  return refused == nullptr ? "bound" : refused->reply;
}

std::string ResourceOf(const std::string& inner) {
  const auto read = ReadBindIq(Iq("type='set' id='1'", inner));
  const auto* bind = std::get_if<BindIq>(&read);
  return bind == nullptr ? "refused" : bind->resource;
}

TEST(BindIq, LeavesTheResourceToTheServerWhenNoneIsNamed) {
  EXPECT_EQ(ResourceOf(""), "");
  EXPECT_EQ(ResourceOf("<resource/>"), "");
}

TEST(BindIq, NormalisesTheResource) {
  EXPECT_EQ(ResourceOf("<resource>Balcony</resource>"), "Balcony");
  // RFC 8265 §4.2.2: other spaces become U+0020, NFC.
  EXPECT_EQ(ResourceOf("<resource>a\u00a0b</resource>"), "a b");
  EXPECT_EQ(ResourceOf("<resource>e\u0301</resource>"), "\u00e9");
  EXPECT_EQ(ResourceOf("<resource>a&amp;b</resource>"), "a&b");
}

TEST(BindIq, RefusesAResourceThatIsTooLong) {
  EXPECT_EQ(ResourceOf("<resource>" + std::string(1023, 'a') + "</resource>").size(), 1023u);
  EXPECT_NE(ErrorOf(Iq("type='set' id='1'", "<resource>" + std::string(1024, 'a') + "</resource>"))
                .find("<bad-request"),
            std::string::npos);
}

TEST(BindIq, RefusesAResourceThatIsNoResourcepart) {
  EXPECT_EQ(ErrorOf(Iq("type='set' id='1'", "<resource>a\u200eb</resource>")),
            "<iq type='error' id='1'><error type='modify'>"
            "<jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
}

TEST(BindIq, AnswersAMalformedIqWithBadRequest) {
  for (const std::string& iq :
       {Iq("type='get' id='1'", ""), Iq("type='set'", ""), Iq("type='bad' id='1'", ""),
        std::string("<iq type='set' id='1'/>"),
        std::string("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
        std::string(
            "<iq type='set' id='1'><unbind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
        std::string("<iq type='set'")}) {
    EXPECT_NE(ErrorOf(iq).find("<bad-request"), std::string::npos) << iq;
  }
}

TEST(BindIq, NeverAnswersAnErrorOrAResult) {
  EXPECT_EQ(ErrorOf(Iq("type='error' id='1'", "")), "");
  EXPECT_EQ(ErrorOf(Iq("type='result' id='1'", "")), "");
}

TEST(BindIq, WritesTheResultWithItsJidEscaped) {
  EXPECT_EQ(WriteBindResult("a'b", "romeo@example.org/a&b"),
            "<iq type='result' id='a&apos;b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<jid>romeo@example.org/a&amp;b</jid></bind></iq>");
}

}  // namespace
}  // namespace business
