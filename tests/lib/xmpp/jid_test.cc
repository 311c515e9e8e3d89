#include "lib/xmpp/jid.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <unordered_set>
#include <vector>

namespace xmpp {
namespace {

struct Legal {
  const char* text;
  const char* local;
  const char* domain;
  const char* resource;
};

// RFC 7622 §3.5, table 1; what case mapping changes is written out.
const Legal kLegal[] = {
    {"juliet@example.com", "juliet", "example.com", ""},
    {"juliet@example.com/foo", "juliet", "example.com", "foo"},
    {"juliet@example.com/foo bar", "juliet", "example.com", "foo bar"},
    {"juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar"},
    {"foo\\20bar@example.com", "foo\\20bar", "example.com", ""},
    {"fussball@example.com", "fussball", "example.com", ""},
    {"fu\u00DFball@example.com", "fu\u00DFball", "example.com", ""},
    {"\u03C0@example.com", "\u03C0", "example.com", ""},
    {"\u03A3@example.com/foo", "\u03C3", "example.com", "foo"},
    {"\u03C3@example.com/foo", "\u03C3", "example.com", "foo"},
    {"\u03C2@example.com/foo", "\u03C2", "example.com", "foo"},
    {"king@example.com/\u265A", "king", "example.com", "\u265A"},
    {"example.com", "", "example.com", ""},
    {"example.com/foobar", "", "example.com", "foobar"},
    {"a.example.com/b@example.net", "", "a.example.com", "b@example.net"},
};

TEST(Jid, ReadsTheLegalExamplesOfTheRfc) {
  for (const Legal& example : kLegal) {
    const auto jid = Jid::Parse(example.text);
    ASSERT_TRUE(jid) << example.text;
    EXPECT_EQ(jid->local(), example.local) << example.text;
    EXPECT_EQ(jid->domain(), example.domain) << example.text;
    EXPECT_EQ(jid->resource(), example.resource) << example.text;
  }
}

TEST(Jid, RefusesTheIllegalExamplesOfTheRfc) {
  for (const char* text : {"\"juliet\"@example.com", "foo bar@example.com", "@example.com/",
                           "henry\u2163@example.com", "\u265A@example.com", "juliet@", "/foobar"}) {
    EXPECT_FALSE(Jid::Parse(text)) << text;
  }
}

// Erratum 4560 (verified): example 18 is legal, OpaqueString keeps spaces wherever they stand.
TEST(Jid, KeepsALeadingSpaceInAResource) {
  const auto jid = Jid::Parse("juliet@example.com/ foo");
  ASSERT_TRUE(jid);
  EXPECT_EQ(jid->resource(), " foo");
}

TEST(Jid, TakesTheFirstSlashThenTheFirstAt) {
  const auto jid = Jid::Parse("juliet@example.com/a/b@c");
  ASSERT_TRUE(jid);
  EXPECT_EQ(jid->local(), "juliet");
  EXPECT_EQ(jid->domain(), "example.com");
  EXPECT_EQ(jid->resource(), "a/b@c");
  EXPECT_EQ(jid->BareView(), "juliet@example.com");
}

TEST(Jid, ComparesOnlyNormalised) {
  EXPECT_EQ(Jid::Parse("Juliet@Example.COM./Balcony"), Jid::Parse("juliet@example.com/Balcony"));
  EXPECT_NE(Jid::Parse("juliet@example.com/Balcony"), Jid::Parse("juliet@example.com/balcony"));
  EXPECT_EQ(Jid::Parse("ju\u006C\u0069e\u0301t@b\u00FCcher.example")->ToString(),
            "juli\u00E9t@b\u00FCcher.example");
  EXPECT_EQ(Jid::Parse("a@xn--bcher-kva.example"), Jid::Parse("a@B\u00DCCHER.example"));
  EXPECT_EQ(Jid::Parse("\uFF4A\uFF55liet@example.com")->ToString(), "juliet@example.com");
}

// tests/attacks, row 30.
TEST(Jid, RefusesMalformedAddresses) {
  const std::vector<std::string> malformed = {
      "",
      "@",
      "/",
      "@/",
      "@example.com",
      "juliet@/balcony",
      "juliet@example.com/",
      "juliet@@example.com",
      "juliet@capulet@example.com",
      "a@.",
      "a@..",
      "a@.example.com",
      "a@example..com",
      "a@example.com..",
      "a@-example.com",
      "a@example-.com",
      "a@exa mple.com",
      "a@exa_mple.com",
      "a@example.com:5222",
      "a b@example.com",
      "a\tb@example.com",
      "a\x7F@example.com",
      std::string("a\0b@example.com", 15),
      "a&b@example.com",
      "a'b@example.com",
      "a:b@example.com",
      "a<b@example.com",
      "a>b@example.com",
      "\xFF@example.com",
      "a@\xC3(.com",
      "a@example.com/\xED\xA0\x80",  // a surrogate
      "a@example.com/\xC0\xAF",      // overlong
      "a@example.com/x\ny",          // control character
      "a@example.com/\u0085",        // C1 control
      "a@example.com/\u00AD",        // default ignorable
      "a@example.com/\uE000",        // private use
      "a@example.com/\uFFFE",        // noncharacter
      "a@example.com/\U000E0FFF",    // unassigned and ignorable
      "a@example.com/\U0003FF00",    // unassigned
      "\u0378@example.com",          // unassigned
      "a\uFF20b@example.com",        // full-width @ in a localpart
      "a\uFF0Fb@example.com",        // full-width /
      "a@ex\uFF0Fample.com",         // and in a domain
      "a@ex\uFF20ample.com",
      "\u05D0a@example.com",  // Hebrew then Latin: bidi rule 2
      "a\u05D0@example.com",  // Latin then Hebrew: rule 5
      "1\u05D0@example.com",  // rule 1
      "\u05D0!@example.com",  // ends with a neutral: rule 3
      "\u0627\u0661"
      "1@example.com",             // both kinds of digits: rule 4
      "\u0661\u06F1@example.com",  // context: digits of two kinds
      "a\u200Db@example.com",      // joiner without virama
      "a\u00B7b@example.com",      // middle dot without l·l
      "\u0375a@example.com",       // keraia before Latin
      "a\u05F3@example.com",       // geresh after Latin
      "a\u30FBb@example.com",      // katakana dot without kana
      "\u212A@example.com",        // Kelvin sign: compatibility character
      "\uFB01@example.com",        // ligature fi
      "a@xn--.example",
      "a@xn--a.example",  // not punycode of anything
      "a@xn--0.pt",
      "a@ab--cd.example",
      "a@\u2665.example",           // a symbol: UTS 46 has it, IDNA2008 not
      "a@9abc.\u05D0\u05D1\u05D2",  // bidi domain name with a label that breaks it
      "a@a\u200D.example",
      "a@[::1",
      "a@[]",
      "a@[::g]",
      "a@[fe80::1%25eth0]",
      "a@[127.0.0.1]",
      "a@" + std::string(64, 'x') + ".example",
  };
  for (const std::string& text : malformed) EXPECT_FALSE(Jid::Parse(text)) << text;
}

TEST(Jid, AcceptsAddressLiterals) {
  EXPECT_EQ(Jid::Parse("a@127.0.0.1")->domain(), "127.0.0.1");
  EXPECT_EQ(Jid::Parse("a@[::1]/r")->domain(), "[::1]");
  EXPECT_EQ(Jid::Parse("a@[2001:DB8:0:0:0:0:0:1]"), Jid::Parse("a@[2001:db8::1]"));
}

TEST(Jid, StripsAFinalDotOfAnyKind) {
  EXPECT_EQ(Jid::Parse("a@example.com.")->ToString(), "a@example.com");
  EXPECT_EQ(Jid::Parse("a@example\u3002com\u3002")->ToString(), "a@example.com");
}

TEST(Jid, HoldsPartsToTheirLength) {
  const std::string most(1023, 'x');
  std::string name;
  for (int i = 0; i < 16; ++i) name += std::string(63, 'd') + ".";
  name.resize(1023);
  name.back() = 'e';
  const auto longest = Jid::Parse(most + "@" + name + "/" + most);
  ASSERT_TRUE(longest);
  EXPECT_EQ(longest->ToString().size(), 3071u);
  EXPECT_EQ(longest->resource(), most);
  EXPECT_FALSE(Jid::Parse(most + "x@example.com"));
  EXPECT_FALSE(Jid::Parse("a@example.com/" + most + "x"));
  EXPECT_FALSE(Jid::Parse("a@" + name + "f"));
  EXPECT_FALSE(Jid::Parse(most + "@" + name + "/" + most + "x"));
  // Counted in bytes after normalisation: 512 letters of two bytes are too many, 511 are not.
  std::string umlauts;
  for (int i = 0; i < 511; ++i) umlauts += "\u00FC";
  EXPECT_TRUE(Jid::Parse(umlauts + "@example.com"));
  EXPECT_FALSE(Jid::Parse(umlauts + "\u00FC@example.com"));
  // 1023 full-width letters are 3069 bytes before and 1023 after.
  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "\uFF41";
  EXPECT_EQ(Jid::Make(wide, "example.com", "")->local().size(), 1000u);
}

TEST(Jid, JoinsPartsLikeTheyWereParsed) {
  EXPECT_EQ(Jid::Make("Juliet", "EXAMPLE.com", "Balcony")->ToString(),
            "juliet@example.com/Balcony");
  EXPECT_EQ(Jid::Make("", "example.com", "")->ToString(), "example.com");
  EXPECT_EQ(Jid::Make("", "example.com", "r")->ToString(), "example.com/r");
  EXPECT_FALSE(Jid::Make("a", "", "r"));
  EXPECT_FALSE(Jid::Make("a@b", "example.com", ""));
  EXPECT_FALSE(Jid::Make("a", "example.com/b", ""));
}

TEST(Jid, SplitsItsOwnTextUnchecked) {
  for (const Legal& example : kLegal) {
    const auto jid = Jid::Parse(example.text);
    const Jid again = Jid::FromNormalized(jid->ToString());
    EXPECT_EQ(again.local(), jid->local());
    EXPECT_EQ(again.domain(), jid->domain());
    EXPECT_EQ(again.resource(), jid->resource());
  }
  EXPECT_TRUE(Jid::FromNormalized("").empty());
}

TEST(BareJid, NeedsALocalpartAndDropsTheResource) {
  EXPECT_EQ(BareJid::From(*Jid::Parse("a@b/c"))->ToString(), "a@b");
  EXPECT_FALSE(BareJid::From(*Jid::Parse("b/c")));
  EXPECT_FALSE(BareJid::Parse("a@b/c"));
  EXPECT_FALSE(BareJid::Parse("b"));
  EXPECT_EQ(BareJid::Parse("A@B")->ToString(), "a@b");
}

TEST(FullJid, NeedsAllThreeParts) {
  EXPECT_EQ(FullJid::From(*Jid::Parse("a@b/c"))->ToString(), "a@b/c");
  EXPECT_FALSE(FullJid::From(*Jid::Parse("a@b")));
  EXPECT_FALSE(FullJid::From(*Jid::Parse("b/c")));
  const auto bare = *BareJid::Parse("a@b");
  EXPECT_EQ(FullJid::Make(bare, "e\u0301")->ToString(), "a@b/\u00E9");
  EXPECT_EQ(FullJid::Make(bare, "c d")->Bare(), bare);
  EXPECT_FALSE(FullJid::Make(bare, ""));
  EXPECT_FALSE(FullJid::Make(bare, "\u0007"));
  EXPECT_FALSE(FullJid::Make(bare, std::string(1024, 'r')));
}

TEST(Jid, IsAKeyOfHashTables) {
  std::unordered_set<FullJid> seen{*FullJid::From(*Jid::Parse("a@b/c"))};
  EXPECT_TRUE(seen.contains(FullJid::FromNormalized("a@b/c")));
}

// Runs for each stanza; the bound is generous because this also runs under sanitizers.
TEST(Jid, ParsesThePlainAddressQuickly) {
  constexpr int kRounds = 200'000;
  size_t length = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) {
    length += Jid::Parse("juliet.capulet@im.example.com/balcony-7f3a9c")->ToString().size();
  }
  const auto spent = std::chrono::steady_clock::now() - start;
  const auto each = std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count() / kRounds;
  RecordProperty("nanoseconds", static_cast<int>(each));
  EXPECT_EQ(length, 44u * kRounds);
  EXPECT_LT(each, 5000);
}

}  // namespace
}  // namespace xmpp
