#include "connmgr/stream_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "connmgr/stream_features.h"

namespace connmgr {
namespace {

using testing::HasSubstr;
using testing::Not;
using xmpp::StreamCondition;

Settings Served() {
  Settings settings;
  settings.domains = {"example.test", "second.test"};
  settings.certificates = {{{"xmpp.example.test"}, "", ""}};
  return settings;
}

xmpp::StreamHeader Header(std::string to, std::string version = "1.0") {
  xmpp::StreamHeader header;
  header.to = std::move(to);
  header.version = std::move(version);
  return header;
}

HeaderVerdict Judge(const xmpp::StreamHeader& header, std::string_view sni = {},
                    std::string_view account = {}) {
  const Settings settings = Served();
  return JudgeStreamHeader(header, settings, ServedDomains(settings.domains), sni, account);
}

TEST(StreamHeader, NamesTheDomainNormalised) {
  EXPECT_EQ(Judge(Header("SECOND.test")).domain, "second.test");
  EXPECT_FALSE(Judge(Header("SECOND.test")).error);
}

TEST(StreamHeader, WithoutToMeansTheFirstDomain) {
  const auto verdict = Judge(Header(""));
  EXPECT_FALSE(verdict.error);
  EXPECT_EQ(verdict.domain, "example.test");
}

TEST(StreamHeader, RefusesDomainsThatAreNotServed) {
  for (const char* to : {"other.test", "xmpp.example.test", "a..b", "\xff"}) {
    const auto verdict = Judge(Header(to));
    ASSERT_TRUE(verdict.error) << to;
    EXPECT_EQ(verdict.error->condition, StreamCondition::kHostUnknown) << to;
    EXPECT_EQ(verdict.domain, "example.test") << to;
  }
}

// RFC 6120 §4.7.5
TEST(StreamHeader, ComparesVersionsAsNumbers) {
  for (const char* good : {"1.0", "1.1", "01.00", "2.0", "10.0"}) {
    EXPECT_FALSE(Judge(Header("example.test", good)).error) << good;
  }
  for (const char* bad : {"", "1", "0.9", "-1.0", "1.x", "x.0", ".", "1.0.0", "99999999999.0"}) {
    const auto verdict = Judge(Header("example.test", bad));
    ASSERT_TRUE(verdict.error) << bad;
    EXPECT_EQ(verdict.error->condition, StreamCondition::kUnsupportedVersion) << bad;
  }
}

// tests/attacks, row 58
TEST(StreamHeader, RefusesForeignServerNames) {
  EXPECT_FALSE(Judge(Header("example.test"), "second.test").error);
  EXPECT_FALSE(Judge(Header("example.test"), "xmpp.example.test").error);
  for (const char* sni : {"other.test", "\xff\xfe"}) {
    const auto verdict = Judge(Header("example.test"), sni);
    ASSERT_TRUE(verdict.error);
    EXPECT_EQ(verdict.error->condition, StreamCondition::kHostUnknown);
  }
}

// tests/attacks, row 21: no carry-over, and no change of identity.
TEST(StreamHeader, HoldsTheSecondStreamToTheAccount) {
  auto header = Header("example.test");
  EXPECT_FALSE(Judge(header, {}, "juliet@example.test").error);
  header.from = "JULIET@example.test/x";
  EXPECT_FALSE(Judge(header, {}, "juliet@example.test").error);
  header.from = "romeo@example.test";
  EXPECT_EQ(Judge(header, {}, "juliet@example.test").error->condition,
            StreamCondition::kInvalidFrom);
  EXPECT_EQ(Judge(Header("second.test"), {}, "juliet@example.test").error->condition,
            StreamCondition::kHostUnknown);
}

TEST(StreamHeader, IsWrittenWithAnIdNobodyGuesses) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.insert(RandomStreamId());
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_EQ(ids.begin()->size(), 32u);
}

TEST(StreamHeader, AnswersToTheClientsBareAddress) {
  xmpp::StreamHeader request;
  EXPECT_THAT(WriteStreamHeader("example.test", request), Not(HasSubstr(" to=")));
  request.from = "Juliet@Example.test/balcony";
  const std::string text = WriteStreamHeader("example.test", request);
  EXPECT_THAT(text, HasSubstr(" to='juliet@example.test'"));
  EXPECT_THAT(text, HasSubstr(" from='example.test'"));
  EXPECT_THAT(text, HasSubstr(" version='1.0'"));
  request.from = "no'<address>@";
  EXPECT_THAT(WriteStreamHeader("example.test", request), Not(HasSubstr(" to=")));
}

TEST(StreamFeatures, OfferStartTlsAsTheSettingSays) {
  EXPECT_EQ(WriteFeatures(StartTlsOffer::kNone, "<x xmlns='y'/>"),
            "<stream:features><x xmlns='y'/></stream:features>");
  EXPECT_EQ(WriteFeatures(StartTlsOffer::kRequired, ""),
            "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>"
            "</starttls></stream:features>");
  EXPECT_EQ(WriteFeatures(StartTlsOffer::kOptional, ""),
            "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
            "</stream:features>");
}

}  // namespace
}  // namespace connmgr
