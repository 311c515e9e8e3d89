#include "business/history/archive_preferences.h"

#include "tests/business/history/history_fixture.h"

namespace business {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using xmpp::StanzaType;
using Otherwise = ArchivePreferences::Otherwise;

TEST(ArchiveChoice, TakesTheMostExactEntryAndNeverBeforeAlways) {
  const auto choice = [](ArchivePreferences preferences, const std::string& with) {
    return ChoiceOf(preferences, xmpp::Jid::FromNormalized(with));
  };
  const auto jids = [](std::vector<std::string> texts) {
    std::vector<xmpp::Jid> parsed;
    for (const std::string& text : texts) parsed.push_back(xmpp::Jid::FromNormalized(text));
    return parsed;
  };
  EXPECT_EQ(choice({}, "r@x"), ArchiveChoice::kYes);
  EXPECT_EQ(choice({.otherwise = Otherwise::kNever}, "r@x"), ArchiveChoice::kNo);
  EXPECT_EQ(choice({.otherwise = Otherwise::kRoster}, "r@x"), ArchiveChoice::kIfInRoster);
  EXPECT_EQ(choice({.never = jids({"r@x"})}, "r@x/garden"), ArchiveChoice::kNo);
  EXPECT_EQ(choice({.otherwise = Otherwise::kNever, .always = jids({"r@x"})}, "r@x/garden"),
            ArchiveChoice::kYes);
  EXPECT_EQ(choice({.always = jids({"r@x/garden"}), .never = jids({"r@x"})}, "r@x/garden"),
            ArchiveChoice::kYes);
  EXPECT_EQ(choice({.always = jids({"r@x/garden"}), .never = jids({"r@x"})}, "r@x/phone"),
            ArchiveChoice::kNo);
  EXPECT_EQ(choice({.always = jids({"r@x"}), .never = jids({"r@x"})}, "r@x"), ArchiveChoice::kNo);
  EXPECT_EQ(choice({.never = jids({"r@x/garden"})}, "r@x"), ArchiveChoice::kYes);
}

class PreferencesTest : public HistoryTest {
 protected:
  std::vector<std::string> Set(const SessionPtr& who, const std::string& prefs) {
    return world_.Ask(who, StanzaType::kSet, "",
                      "<prefs xmlns='urn:xmpp:mam:2'" + prefs + "</prefs>");
  }
};

TEST_F(PreferencesTest, EachSideDecidesForItself) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Say(romeo, kJuliet, "m1");
  Set(juliet, " default='never'>");
  Say(romeo, kJuliet, "m2");
  EXPECT_THAT(Archive(juliet), ElementsAre("m1"));
  EXPECT_THAT(Archive(romeo), ElementsAre("m1", "m2"));
}

TEST_F(PreferencesTest, ByRosterFollowsTheRoster) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Set(juliet, " default='roster'>");
  Say(romeo, kJuliet, "m1");
  world_.SetItem(kJuliet, kRomeo, {});
  Say(romeo, kJuliet, "m2");
  EXPECT_THAT(Archive(juliet), ElementsAre("m2"));
}

TEST_F(PreferencesTest, WhatNobodyKeepsIsDeliveredAllTheSame) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Set(juliet, " default='never'>");
  Set(romeo, " default='never'>");
  EXPECT_THAT(Say(romeo, kJuliet, "m1"), ElementsAre(HasSubstr("id='m1'")));
  EXPECT_THAT(Archive(romeo), IsEmpty());
}

// R13: set by way of another server, which raised the version.
TEST_F(PreferencesTest, AChangeElsewhereHoldsAtOnce) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Say(romeo, kJuliet, "m1");
  const auto owner = xmpp::BareJid::FromNormalized(kJuliet);
  const auto set = world_.redis.Wait([&] {
    return world_.stores->archives->SetPreferences(owner, {.otherwise = Otherwise::kNever});
  });
  const auto raised = world_.redis.Wait([&] { return world_.registry->RaiseVersion(owner); });
  ASSERT_TRUE(set.has_value() && raised.has_value());
  Say(romeo, kJuliet, "m2");
  EXPECT_THAT(Archive(juliet), ElementsAre("m1"));
}

TEST_F(PreferencesTest, BadOnesAreRefused) {
  const SessionPtr juliet = Available(kJuliet, "balcony");
  EXPECT_THAT(Set(juliet, " default='sometimes'>"), Contains(HasSubstr("<bad-request")));
  EXPECT_THAT(Set(juliet, ">"), Contains(HasSubstr("<bad-request")));
  EXPECT_THAT(Set(juliet, " default='always'><never><jid>@</jid></never>"),
              Contains(HasSubstr("<jid-malformed")));
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "<jid>a" + std::to_string(i) + "@b</jid>";
  EXPECT_THAT(Set(juliet, " default='always'><never>" + many + "</never>"),
              Contains(HasSubstr("<policy-violation")));
  EXPECT_THAT(world_.Ask(juliet, StanzaType::kGet, "", "<prefs xmlns='urn:xmpp:mam:2'/>"),
              ElementsAre(HasSubstr("default='always'><always/><never/></prefs>")));
}

class FixedPreferencesTest : public HistoryTest {
 protected:
  FixedPreferencesTest() : HistoryTest({.preferences = false}) {}
};

TEST_F(FixedPreferencesTest, SwitchedOffEverythingIsArchived) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  EXPECT_THAT(
      world_.Ask(romeo, StanzaType::kSet, "", "<prefs xmlns='urn:xmpp:mam:2' default='never'/>"),
      ElementsAre(HasSubstr("<service-unavailable")));
  Say(romeo, kJuliet, "m1");
  EXPECT_THAT(Archive(romeo), ElementsAre("m1"));
}

}  // namespace
}  // namespace business
