// tests/attacks, rows 1 to 16, by row: what the framer refuses, and the nearest that it takes.
#include "lib/xmpp/framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "tests/build_speed.h"
#include "tests/lib/xmpp/framer_stream.h"

namespace xmpp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FramerRefuses, Row1DeclarationsAnywhere) {
  EXPECT_EQ(ErrorOf("<!DOCTYPE a>" + kHeader), "restricted-xml");
  EXPECT_EQ(ErrorOf("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>" + kHeader),
            "restricted-xml");
  EXPECT_EQ(ErrorOf("<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + kHeader), "restricted-xml");
  EXPECT_EQ(ErrorInside("<!DOCTYPE a>"), "restricted-xml");
  EXPECT_EQ(ErrorInside("<message><!DOCTYPE a></message>"), "restricted-xml");
  EXPECT_EQ(ErrorInside("<message><!ENTITY a 'b'></message>"), "restricted-xml");
}

TEST(FramerRefuses, Row2CommentsAndInstructions) {
  EXPECT_EQ(ErrorOf("<!-- c -->" + kHeader), "restricted-xml");
  EXPECT_EQ(ErrorOf("<?p i?>" + kHeader), "restricted-xml");
  EXPECT_EQ(ErrorInside("<!-- c -->"), "restricted-xml");
  EXPECT_EQ(ErrorInside("<?p i?>"), "restricted-xml");
  EXPECT_EQ(ErrorInside("<message><body><!-- c --></body></message>"), "restricted-xml");
  EXPECT_EQ(ErrorInside("<message><?p i?></message>"), "restricted-xml");
}

TEST(FramerRefuses, Row3OtherEntities) {
  for (const char* reference : {"&foo;", "&LT;", "&nbsp;", "&Amp;"}) {
    EXPECT_EQ(ErrorInside("<message><body>" + std::string(reference) + "</body></message>"),
              "restricted-xml");
    EXPECT_EQ(ErrorInside("<message id='" + std::string(reference) + "'/>"), "restricted-xml");
  }
}

TEST(FramerRefuses, Row4BareMarkup) {
  for (const char* stanza :
       {"<message><body>a & b</body></message>", "<message><body>&lt</body></message>",
        "<message id='<'/>", "<message><body>]]></body></message>", "<message a='1'b='2'/>",
        "<message a=1/>", "<message a/>", "<message a='1/>'", "< message/>", "<1/>"}) {
    // An open quote is no error before its end, or the limit.
    const std::string expected = std::string(stanza) == "<message a='1/>'" ? "" : "not-well-formed";
    EXPECT_EQ(ErrorInside(stanza), expected) << stanza;
  }
}

TEST(FramerRefuses, Row5MismatchedTags) {
  for (const char* stanza :
       {"<message></iq>", "<message><a><b></a></b></message>", "<message></message a='1'>",
        "<message></MESSAGE>", "</message>", "<x:message xmlns:x='jabber:client'></message>"}) {
    EXPECT_EQ(ErrorInside(stanza), "not-well-formed") << stanza;
  }
}

TEST(FramerRefuses, Row6DuplicateAttributes) {
  EXPECT_EQ(ErrorInside("<message id='1' id='2'/>"), "not-well-formed");
  EXPECT_EQ(ErrorInside("<message xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/>"), "not-well-formed");
  EXPECT_EQ(ErrorInside("<message xmlns:a='u' xmlns:a='v'/>"), "not-well-formed");
  EXPECT_EQ(ErrorOf(kHeader.substr(0, kHeader.size() - 1) + " to='x'>"), "not-well-formed");
}

TEST(FramerRefuses, Row7ForbiddenCharacters) {
  using namespace std::string_literals;
  for (const std::string& bad :
       {"\0"s, "\x01"s, "\x0B"s, "\x1F"s, "\xEF\xBF\xBE"s, "\xEF\xBF\xBF"s, "\xED\xA0\x80"s,
        "&#0;"s, "&#1;"s, "&#xB;"s, "&#xFFFE;"s, "&#xD800;"s, "&#xDFFF;"s, "&#;"s, "&#x;"s,
        "&#x110000;"s, "&#99999999999999999999;"s, "&#x100000041;"s, "&#-1;"s}) {
    EXPECT_EQ(ErrorInside("<message><body>" + bad + "</body></message>"), "not-well-formed") << bad;
    EXPECT_EQ(ErrorInside("<message id='" + bad + "'/>"), "not-well-formed") << bad;
  }
  EXPECT_EQ(Canonical("<message><body>&#9;&#10;&#13;&#x10FFFF;</body></message>"),
            "<message><body>\t\n&#xD;\xF4\x8F\xBF\xBF</body></message>");
}

TEST(FramerRefuses, Row8InvalidUtf8) {
  for (const char* bad : {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xC3(",
                          "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\x80", "\xFF", "\xF5\x80\x80\x80",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80"}) {
    const std::string s(bad);
    EXPECT_EQ(ErrorInside("<message><body>" + s + "</body></message>"), "not-well-formed");
    EXPECT_EQ(ErrorInside("<message id='" + s + "'/>"), "not-well-formed");
    EXPECT_EQ(ErrorInside("<message" + s + "/>"), "not-well-formed");
  }
}

TEST(FramerRefuses, Row9OtherEncodingsAndVersions) {
  using namespace std::string_literals;
  EXPECT_EQ(ErrorOf("<?xml version='1.0' encoding='ISO-8859-1'?>" + kHeader),
            "unsupported-encoding");
  EXPECT_EQ(ErrorOf("<?xml version='1.0' encoding='UTF-16'?>" + kHeader), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("<?xml version='1.0' encoding='utf-8x'?>" + kHeader), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("<?xml version='1.1'?>" + kHeader), "not-well-formed");
  EXPECT_EQ(ErrorOf("<?xml version='1.1' encoding='UTF-16'?>" + kHeader), "not-well-formed");
  EXPECT_EQ(ErrorOf("\xFF\xFE<\0s\0"s), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("\xFE\xFF\0<\0s"s), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("\xFF\xFE\0\0<\0\0\0"s), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("\0\0\xFE\xFF\0\0\0<"s), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("<\0?\0"s), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("\0<\0?"s), "unsupported-encoding");
  EXPECT_EQ(ErrorOf("<?xml version='1.0' encoding='Utf-8'?>" + kHeader), "");
  EXPECT_EQ(ErrorOf("\x18\0\0"s), "not-well-formed");
  EXPECT_EQ(ErrorOf("\xEF\xBB\xBF" + kHeader), "");  // the UTF-8 mark is allowed
}

TEST(FramerRefuses, Row10NamespaceRules) {
  for (const char* stanza :
       {"<x:message/>", "<message x:a='1'/>", "<message xmlns:xml='u'/>",
        "<message xmlns:a='http://www.w3.org/XML/1998/namespace'/>",
        "<message xmlns='http://www.w3.org/XML/1998/namespace'/>", "<message xmlns:xmlns='u'/>",
        "<message xmlns:a='http://www.w3.org/2000/xmlns/'/>",
        "<message xmlns='http://www.w3.org/2000/xmlns/'/>", "<message xmlns:a=''/>",
        "<a:b:message xmlns:a='jabber:client'/>", "<:message/>", "<a: xmlns:a='u'/>",
        "<message xmlns:='u'/>", "<message a:b:c='1' xmlns:a='u'/>"}) {
    EXPECT_EQ(ErrorInside(stanza), "not-well-formed") << stanza;
  }
}

TEST(FramerRefuses, Row11WrongStreamHeaders) {
  const std::string streams = "http://etherx.jabber.org/streams";
  EXPECT_EQ(ErrorOf("<x:stream xmlns='jabber:client' xmlns:x='" + streams + "'>"),
            "bad-namespace-prefix");
  EXPECT_EQ(ErrorOf("<stream xmlns='" + streams + "'>"), "bad-namespace-prefix");
  EXPECT_EQ(ErrorOf("<stream>"), "bad-namespace-prefix");
  EXPECT_EQ(ErrorOf("<stream:stream xmlns='jabber:client' xmlns:stream='urn:other'>"),
            "invalid-namespace");
  EXPECT_EQ(ErrorOf("<stream:stream xmlns='jabber:server' xmlns:stream='" + streams + "'>"),
            "invalid-namespace");
  EXPECT_EQ(ErrorOf("<stream:other xmlns='jabber:client' xmlns:stream='" + streams + "'>"),
            "bad-format");
  EXPECT_EQ(ErrorOf("<stream:stream xmlns='jabber:client'>"), "not-well-formed");
}

// RFC 6120 §4.8.3: the content namespace may be declared by each stanza instead.
TEST(Framer, AcceptsAHeaderWithoutDefaultNamespace) {
  Stream s;
  s.Feed(
      "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>"
      "<message xmlns='jabber:client'/><message/>");
  ASSERT_EQ(s.seen.stanzas.size(), 2u);
  EXPECT_EQ(s.seen.stanzas[0].kind, StanzaKind::kMessage);
  EXPECT_EQ(s.seen.stanzas[0].bytes, "<message/>");
  EXPECT_EQ(s.seen.stanzas[1].kind, StanzaKind::kNonza);
}

TEST(Framer, Row12MatchesExpandedNames) {
  const Stanza real = Read("<x:message xmlns:x='jabber:client'><x:body>1</x:body></x:message>");
  EXPECT_EQ(real.kind, StanzaKind::kMessage);
  EXPECT_EQ(real.bytes, "<message><body>1</body></message>");
  EXPECT_EQ(real.flags, kHasBody);
  const Stanza other = Read("<message xmlns='other' to='a'><body/></message>");
  EXPECT_EQ(other.kind, StanzaKind::kNonza);
  EXPECT_EQ(other.payload_ns, "other");
  EXPECT_EQ(other.payload_name, "message");
  EXPECT_EQ(other.bytes, "<message xmlns='other' to='a'><body/></message>");
  EXPECT_EQ(Read("<Message/>").kind, StanzaKind::kNonza);
}

TEST(FramerRefuses, Row13AStreamInsideAStream) {
  EXPECT_EQ(ErrorInside(kHeader), "bad-format");
  EXPECT_EQ(ErrorInside("<?xml version='1.0'?>" + kHeader), "not-well-formed");
  EXPECT_EQ(Read("<unknown/>").kind, StanzaKind::kNonza);
}

TEST(FramerRefuses, Row14TextBetweenStanzas) {
  EXPECT_EQ(ErrorInside("text "), "bad-format");
  EXPECT_EQ(ErrorInside("<presence/>x "), "bad-format");
  EXPECT_EQ(ErrorInside("<presence/> x]]>"), "bad-format");
  EXPECT_EQ(ErrorInside("<presence/>]]]>"), "bad-format");
  EXPECT_EQ(ErrorInside("<presence/> ]]>"), "not-well-formed");
  EXPECT_EQ(ErrorInside("<presence/>&#x41;"), "bad-format");
  EXPECT_EQ(ErrorInside("<presence/><![CDATA[ ]]>"), "bad-format");
  EXPECT_EQ(ErrorInside(" \n\t\r <presence/> &#32;\n"), "");
}

TEST(Framer, Row14CountsWhiteSpaceBetweenStanzas) {
  Stream s;
  s.Feed(kHeader + "  <presence/>\n\n<presence/>");
  for (int i = 0; i < 100000; ++i) s.Feed(" ");
  EXPECT_EQ(s.framer.whitespace_bytes(), 100004u);
  EXPECT_FALSE(s.framer.HoldsParser());
  EXPECT_EQ(s.seen.errors.size(), 0u);
}

TEST(FramerRefuses, Row15StanzasOverTheLimitWhileReading) {
  FramerLimits limits;
  limits.stanza_bytes = 2000;
  const std::string filler(5000, 'x');
  std::string elements;
  for (int i = 0; i < 500; ++i) elements += "<a>b</a>";
  for (const std::string& stanza :
       {"<message><body>" + filler, "<message id='" + filler, "<" + filler, "<message><" + filler,
        "<message><body><![CDATA[" + filler, "<message>" + elements,
        "<message><body>" + std::string(5000, '\n'), "</" + filler, "&" + filler,
        "<message a" + std::string(5000, ' '), "<!--" + filler, "<?" + filler,
        "<message></message" + std::string(5000, ' ')}) {
    Stream s(limits);
    s.Feed(kHeader);
    s.FeedByteByByte(stanza.substr(0, 2000));
    EXPECT_EQ(s.seen.Condition(), "") << stanza.substr(0, 30);
    s.Feed(stanza.substr(2000, 1));
    EXPECT_EQ(s.seen.Condition(), "policy-violation") << stanza.substr(0, 30);
    EXPECT_FALSE(s.framer.HoldsParser());
    EXPECT_EQ(ErrorInside(stanza, limits), "policy-violation") << stanza.substr(0, 30);
  }
  Stream s(limits);
  s.Feed(kHeader + "<message id='" + filler);
  EXPECT_EQ(s.seen.errors.at(0).app_condition, "<stanza-too-big xmlns='urn:xmpp:errors'/>");
}

TEST(Framer, Row15TakesAStanzaOfExactlyTheLimit) {
  FramerLimits limits;
  limits.stanza_bytes = 2000;
  const std::string frame = "<message><body></body></message>";
  const std::string exact =
      "<message><body>" + std::string(2000 - frame.size(), 'x') + "</body></message>";
  const std::string over =
      "<message><body>" + std::string(2001 - frame.size(), 'x') + "</body></message>";
  EXPECT_EQ(ErrorInside(exact + exact + "   " + exact, limits), "");
  EXPECT_EQ(ErrorInside("<presence/> " + over, limits), "policy-violation");
}

TEST(FramerRefuses, Row15DeclarationsThatMultiply) {
  // One long URI in the header, used by many small elements: each has to declare it.
  std::string stanza = "<message>";
  for (int i = 0; i < 4000; ++i) stanza += "<l:a/>";
  stanza += "</message>";
  EXPECT_EQ(ErrorOf("<stream:stream xmlns='jabber:client' xmlns:l='u:" + std::string(8000, 'x') +
                    "' xmlns:stream='http://etherx.jabber.org/streams'>" + stanza),
            "policy-violation");
}

TEST(FramerRefuses, Row15AHeaderThatNeverEnds) {
  EXPECT_EQ(ErrorOf("<stream:stream a='" + std::string(20000, 'x')), "policy-violation");
}

TEST(FramerRefuses, Row16TooMuchOfEverything) {
  auto nested = [](int depth) {
    std::string s = "<message>";
    for (int i = 1; i < depth; ++i) s += "<a>";
    for (int i = 1; i < depth; ++i) s += "</a>";
    return s + "</message>";
  };
  EXPECT_EQ(ErrorInside(nested(64)), "");
  EXPECT_EQ(ErrorInside(nested(65)), "policy-violation");
  EXPECT_EQ(ErrorInside(nested(8), FramerLimits::BeforeAuthentication()), "");
  EXPECT_EQ(ErrorInside(nested(9), FramerLimits::BeforeAuthentication()), "policy-violation");

  auto attributes = [](int n) {
    std::string s = "<message";
    for (int i = 0; i < n; ++i) s += " a" + std::to_string(i) + "=''";
    return s + "/>";
  };
  EXPECT_EQ(ErrorInside(attributes(64)), "");
  EXPECT_EQ(ErrorInside(attributes(65)), "policy-violation");

  auto elements = [](int n) {
    std::string s = "<message>";
    for (int i = 1; i < n; ++i) s += "<a/>";
    return s + "</message>";
  };
  EXPECT_EQ(ErrorInside(elements(4096)), "");
  EXPECT_EQ(ErrorInside(elements(4097)), "policy-violation");
  EXPECT_EQ(ErrorInside(elements(33), FramerLimits::BeforeAuthentication()), "policy-violation");

  EXPECT_EQ(ErrorInside("<message><" + std::string(256, 'n') + "/></message>"), "");
  EXPECT_EQ(ErrorInside("<message><" + std::string(257, 'n') + "/></message>"), "policy-violation");
  EXPECT_EQ(ErrorInside("<message " + std::string(257, 'n') + "=''/>"), "policy-violation");

  auto declarations = [](int n) {
    std::string s = "<message>";
    for (int i = 0; i < n; ++i) s += "<a xmlns:p" + std::to_string(i) + "='u'>";
    for (int i = 0; i < n; ++i) s += "</a>";
    return s + "</message>";
  };
  EXPECT_EQ(ErrorInside(declarations(32) + declarations(32)), "");
  EXPECT_EQ(ErrorInside(declarations(33)), "policy-violation");
  std::string one = "<message";
  for (int i = 0; i < 33; ++i) one += " xmlns:p" + std::to_string(i) + "='u'";
  EXPECT_EQ(ErrorInside(one + "/>"), "policy-violation");
  std::string items;
  for (int i = 0; i < 100; ++i) items += "<item xmlns='u'><x:y xmlns:x='v'/></item>";
  EXPECT_EQ(ErrorInside("<message>" + items + "</message>"), "");
}

}  // namespace
}  // namespace xmpp
