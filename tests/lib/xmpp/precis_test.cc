#include "lib/xmpp/precis.h"

#include <gtest/gtest.h>

#include <string>

#include "lib/xmpp/jid.h"

namespace xmpp {
namespace {

using P = PrecisProperty;

TEST(Precis, DerivesThePropertiesOfRfc8264) {
  EXPECT_EQ(DerivedProperty(U'a'), P::kValid);
  EXPECT_EQ(DerivedProperty(U'~'), P::kValid);         // ASCII7
  EXPECT_EQ(DerivedProperty(U' '), P::kFreeOnly);      // Spaces
  EXPECT_EQ(DerivedProperty(0x07), P::kDisallowed);    // Controls
  EXPECT_EQ(DerivedProperty(0xDF), P::kValid);         // exception
  EXPECT_EQ(DerivedProperty(0x640), P::kDisallowed);   // exception: tatweel
  EXPECT_EQ(DerivedProperty(0x3031), P::kDisallowed);  // exception: kana repeat mark
  EXPECT_EQ(DerivedProperty(0x200C), P::kContextJ);
  EXPECT_EQ(DerivedProperty(0x200D), P::kContextJ);
  EXPECT_EQ(DerivedProperty(0xB7), P::kContextO);
  EXPECT_EQ(DerivedProperty(0x660), P::kContextO);
  EXPECT_EQ(DerivedProperty(0x1100), P::kDisallowed);  // old Hangul jamo
  EXPECT_EQ(DerivedProperty(0xAD), P::kDisallowed);    // ignorable
  EXPECT_EQ(DerivedProperty(0xFDD0), P::kDisallowed);  // noncharacter
  EXPECT_EQ(DerivedProperty(0x378), P::kUnassigned);
  EXPECT_EQ(DerivedProperty(0x2163), P::kFreeOnly);    // compatibility
  EXPECT_EQ(DerivedProperty(0x221E), P::kFreeOnly);    // symbol
  EXPECT_EQ(DerivedProperty(0x1C5), P::kFreeOnly);     // title-case digraph
  EXPECT_EQ(DerivedProperty(0x2028), P::kDisallowed);  // line separator
  EXPECT_EQ(DerivedProperty(0xE000), P::kDisallowed);  // private use
  EXPECT_EQ(DerivedProperty(0x1F40E), P::kFreeOnly);   // emoji
}

// RFC 8265 §3.5, tables 1 and 2. "juliet@example.com" is a legal userpart there, but '@' is one of
// the characters that RFC 7622 §3.3.1 keeps out of a localpart.
TEST(Precis, MapsTheUsernamesOfRfc8265) {
  EXPECT_FALSE(NormalizeLocalpart("juliet@example.com"));
  EXPECT_EQ(NormalizeLocalpart("fussball"), "fussball");
  EXPECT_EQ(NormalizeLocalpart("fu\u00DFball"), "fu\u00DFball");
  EXPECT_EQ(NormalizeLocalpart("\u03C0"), "\u03C0");
  EXPECT_EQ(NormalizeLocalpart("\u03A3"), "\u03C3");
  EXPECT_EQ(NormalizeLocalpart("\u03C3"), "\u03C3");
  EXPECT_EQ(NormalizeLocalpart("\u03C2"), "\u03C2");
  EXPECT_FALSE(NormalizeLocalpart("foo bar"));
  EXPECT_FALSE(NormalizeLocalpart(""));
  EXPECT_FALSE(NormalizeLocalpart("henry\u2163"));
  EXPECT_FALSE(NormalizeLocalpart("\u221E"));
}

// RFC 8265 §4.3, tables 3 and 4.
TEST(Precis, PreparesThePasswordsOfRfc8265) {
  EXPECT_EQ(PreparePassword("correct horse battery staple"), "correct horse battery staple");
  EXPECT_EQ(PreparePassword("Correct Horse Battery Staple"), "Correct Horse Battery Staple");
  EXPECT_EQ(PreparePassword("\u03C0\u00DF\u00E5"), "\u03C0\u00DF\u00E5");
  EXPECT_EQ(PreparePassword("Jack of \u2666s"), "Jack of \u2666s");
  EXPECT_EQ(PreparePassword("foo\u1680bar"), "foo bar");
  EXPECT_FALSE(PreparePassword(""));
  EXPECT_FALSE(PreparePassword("my cat is a \tby"));
}

TEST(Precis, MapsWidthCaseAndNormalisation) {
  EXPECT_EQ(NormalizeLocalpart("\uFF28\uFF45llo"), "hello");  // full-width
  EXPECT_EQ(NormalizeLocalpart("\uFF76\uFF9E"), "\u30AC");
  EXPECT_EQ(NormalizeLocalpart("A\u030Angstr\u00F6m"), "\u00E5ngstr\u00F6m");
  EXPECT_EQ(NormalizeLocalpart("\u0130stanbul"), "i\u0307stanbul");
  EXPECT_EQ(NormalizeLocalpart("\u13A0\u13A1"), "\uAB70\uAB71");  // Cherokee has lower case
  EXPECT_FALSE(NormalizeLocalpart("\u3000a"));                    // ideographic space
}

TEST(Precis, AppliesContextualRules) {
  EXPECT_TRUE(NormalizeLocalpart("col\u00B7lapse"));
  EXPECT_FALSE(NormalizeLocalpart("co\u00B7llapse"));
  EXPECT_FALSE(NormalizeLocalpart("l\u00B7"));
  EXPECT_TRUE(NormalizeLocalpart("\u0375\u03B1"));
  EXPECT_FALSE(NormalizeLocalpart("\u03B1\u0375"));
  EXPECT_TRUE(NormalizeLocalpart("\u05D0\u05F3"));
  EXPECT_FALSE(NormalizeLocalpart("\u05F3\u05D0"));
  EXPECT_TRUE(NormalizeLocalpart("\u30AB\u30FB"));
  EXPECT_TRUE(NormalizeLocalpart("\u0627\u0661"));
  EXPECT_FALSE(NormalizeLocalpart("\u0627\u0661\u06F1"));
  EXPECT_TRUE(NormalizeLocalpart("\u0915\u094D\u200D\u0937"));  // virama, joiner
  EXPECT_TRUE(NormalizeLocalpart("\u0915\u094D\u200C\u0937"));  // virama, non-joiner
  EXPECT_TRUE(NormalizeLocalpart("\u0646\u0627\u0645\u0647\u200C\u0627\u06CC"));  // Persian nāmeʾi
  EXPECT_FALSE(NormalizeLocalpart("\u0627\u200C\u0627"));  // alef joins to the right only
  EXPECT_FALSE(NormalizeLocalpart("\u200C"));
}

TEST(Precis, AppliesTheBidiRule) {
  EXPECT_TRUE(NormalizeLocalpart("\u05D0\u05D1\u05D2"));
  EXPECT_TRUE(NormalizeLocalpart("\u05D0-1"));
  EXPECT_TRUE(NormalizeLocalpart("\u05D0\u05B0"));  // ends with a non-spacing mark
  EXPECT_FALSE(NormalizeLocalpart("\u05D0-"));
  EXPECT_FALSE(NormalizeLocalpart("1\u05D0"));
  EXPECT_FALSE(NormalizeLocalpart("a\u05D0"));
  EXPECT_FALSE(
      NormalizeLocalpart("\u05D0"
                         "a"));
  EXPECT_FALSE(NormalizeLocalpart("\u0661"));      // an Arabic digit cannot come first
  EXPECT_TRUE(NormalizeResourcepart("\u05D0a!"));  // OpaqueString has no direction
}

TEST(Precis, LeavesResourcesAlmostAsTheyAre) {
  EXPECT_EQ(NormalizeResourcepart("Caf\u0065\u0301 \U0001F40E"), "Caf\u00E9 \U0001F40E");
  EXPECT_EQ(NormalizeResourcepart("a\u00A0b\u3000c"), "a b c");
  EXPECT_EQ(NormalizeResourcepart("\uFF21"), "\uFF21");              // no width mapping
  EXPECT_EQ(NormalizeResourcepart("\u1112\u1161\u11AB"), "\uD55C");  // Hangul, composed
  EXPECT_FALSE(NormalizeResourcepart("\u1112"));
  EXPECT_FALSE(NormalizeResourcepart(std::string("a\0b", 3)));
  EXPECT_FALSE(NormalizeResourcepart(std::string(1024, 'x')));
}

TEST(Precis, ReadsDomainpartsByIdna2008) {
  EXPECT_EQ(NormalizeDomainpart("EXAMPLE.com."), "example.com");
  EXPECT_EQ(NormalizeDomainpart("fa\u00DF.example"), "fa\u00DF.example");  // nontransitional
  EXPECT_EQ(NormalizeDomainpart("xn--fa-hia.example"), "fa\u00DF.example");
  EXPECT_EQ(NormalizeDomainpart("XN--BCHER-KVA.example"), "b\u00FCcher.example");
  EXPECT_EQ(NormalizeDomainpart("\u043F\u0440\u0438\u043C\u0435\u0440.\u0440\u0444"),
            "\u043F\u0440\u0438\u043C\u0435\u0440.\u0440\u0444");
  EXPECT_EQ(NormalizeDomainpart("\uFF45xample.com"), "example.com");
  EXPECT_EQ(NormalizeDomainpart("\u05D0\u05D1.example"), "\u05D0\u05D1.example");
  EXPECT_EQ(NormalizeDomainpart("localhost"), "localhost");
  EXPECT_FALSE(NormalizeDomainpart("\u05D0b.example"));
  EXPECT_FALSE(NormalizeDomainpart("\U0001F40E.example"));
  EXPECT_FALSE(NormalizeDomainpart("\u0378.example"));
  std::string label;
  for (int i = 0; i < 70; ++i) label += "\u00FC";
  EXPECT_FALSE(NormalizeDomainpart(label + ".example"));
}

TEST(Precis, SeesMixedScripts) {
  EXPECT_FALSE(IsMixedScript("juliet"));
  EXPECT_FALSE(IsMixedScript("jos\u00E9"));
  EXPECT_FALSE(IsMixedScript("\u0434\u0436\u0443\u043B\u044C\u0435\u0442\u0442\u0430"));
  EXPECT_FALSE(IsMixedScript("\u5C0F\u6797\u3055\u3093"));  // Han and Hiragana
  EXPECT_FALSE(IsMixedScript("\u5C0F\u6797x"));             // with Latin, as written in Japan
  EXPECT_TRUE(IsMixedScript("p\u0430ypal"));                // a Cyrillic а
  EXPECT_TRUE(IsMixedScript("\u0430dmin"));
  EXPECT_TRUE(IsMixedScript("\u03BFmega"));    // a Greek ο
  EXPECT_TRUE(IsMixedScript("\u0967\u09E7"));  // Devanagari and Bengali digits
}

TEST(Precis, SeesWhatLooksLikeAscii) {
  EXPECT_FALSE(LooksLikeAscii("juliet"));
  EXPECT_FALSE(LooksLikeAscii("jos\u00E9"));
  EXPECT_FALSE(LooksLikeAscii("\u0434\u0436\u0443\u043B\u044C\u0435\u0442\u0442\u0430"));
  EXPECT_TRUE(LooksLikeAscii("\u0430\u0440\u0440\u04CF\u0435"));
}

}  // namespace
}  // namespace xmpp
