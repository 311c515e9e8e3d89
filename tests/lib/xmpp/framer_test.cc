#include "lib/xmpp/framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "tests/build_speed.h"
#include "tests/lib/xmpp/framer_recorder.h"

namespace xmpp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kHeader(kTestHeader);

// A framer with its pool and what it reported.
struct Stream {
  explicit Stream(FramerLimits limits = {}, Framer::Mode mode = Framer::Mode::kStream,
                  std::string_view content_ns = ns::kClient)
      : framer(pool, seen, mode, content_ns, limits) {}
  size_t Feed(std::string_view bytes) { return framer.Feed(bytes); }
  void FeedByteByByte(std::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) framer.Feed(bytes.substr(i, 1));
  }
  FramerPool pool;
  FramerRecorder seen;
  Framer framer;
};

// The stream error for `document`, which must be the same whole and byte by byte.
std::string ErrorOf(std::string_view document, FramerLimits limits = {}) {
  Stream whole(limits), bytes(limits);
  whole.Feed(document);
  bytes.FeedByteByByte(document);
  EXPECT_EQ(whole.seen.log, bytes.seen.log) << document.substr(0, 200);
  return whole.seen.Condition();
}
std::string ErrorInside(std::string_view stanzas, FramerLimits limits = {}) {
  return ErrorOf(kHeader + std::string(stanzas), limits);
}
// The canonical bytes of one stanza, or the error.
std::string Canonical(std::string_view stanza) {
  Stream s;
  s.Feed(kHeader);
  s.Feed(stanza);
  if (s.seen.stanzas.size() != 1) return "no stanza, error " + s.seen.Condition();
  return s.seen.stanzas[0].bytes;
}
Stanza Read(std::string_view stanza) {
  Stream s;
  s.Feed(kHeader);
  s.Feed(stanza);
  EXPECT_EQ(s.seen.stanzas.size(), 1u) << stanza << " " << s.seen.Condition();
  return s.seen.stanzas.empty() ? Stanza() : s.seen.stanzas[0];
}

TEST(Framer, ReportsHeaderStanzasAndEnd) {
  Stream s;
  s.Feed("<?xml version='1.0' encoding='utf-8'?>\n" + kHeader +
         "<message id='1' to='a@b' type='chat'><body>hi</body></message> <presence/>"
         "</stream:stream>");
  ASSERT_EQ(s.seen.log.size(), 4u);
  EXPECT_EQ(s.seen.headers[0].to, "localhost");
  EXPECT_EQ(s.seen.headers[0].version, "1.0");
  EXPECT_EQ(s.seen.headers[0].content_ns, "jabber:client");
  EXPECT_EQ(s.seen.stanzas[0].bytes, "<message id='1' type='chat'><body>hi</body></message>");
  EXPECT_EQ(s.seen.stanzas[0].to, "a@b");
  EXPECT_EQ(s.seen.stanzas[1].bytes, "<presence/>");
  EXPECT_EQ(s.seen.log[3], "end");
}

TEST(Framer, HandsUpTheVersionAndTheLanguageAsSent) {
  Stream s;
  s.Feed(
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
      "version='11.2' xml:lang='de' from='a@b' id='x'>");
  ASSERT_EQ(s.seen.headers.size(), 1u);
  EXPECT_EQ(s.seen.headers[0].version, "11.2");
  EXPECT_EQ(s.seen.headers[0].lang, "de");
  EXPECT_EQ(s.seen.headers[0].from, "a@b");
  EXPECT_EQ(s.seen.headers[0].id, "x");
}

TEST(Framer, GivesTheSameEventsHoweverTheBytesAreCut) {
  const std::string document =
      "<?xml version='1.0'?>" + kHeader +
      "<iq id='a&amp;b' type='get' to='x'><q xmlns='u:1' a='1&#9;2'><![CDATA[<raw>]]>&#x1F600;</q>"
      "</iq>\r\n \t<p:message xmlns:p='jabber:client'><p:body>\xC3\xA9\r\n</p:body></p:message>"
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEA</auth>"
      "</stream:stream>\n";
  Stream whole;
  whole.Feed(document);
  for (size_t step = 1; step < 9; ++step) {
    Stream cut;
    for (size_t i = 0; i < document.size(); i += step) {
      cut.Feed(std::string_view(document).substr(i, step));
    }
    EXPECT_EQ(cut.seen.log, whole.seen.log) << step;
    EXPECT_EQ(cut.framer.whitespace_bytes(), whole.framer.whitespace_bytes()) << step;
  }
  EXPECT_EQ(whole.seen.log.size(), 5u);
}

TEST(Framer, WritesNamespacesOnlyWhereTheyChange) {
  EXPECT_EQ(Canonical("<message><a xmlns='u'><b/><c xmlns='jabber:client'/></a><d xmlns=''/>"
                      "</message>"),
            "<message><a xmlns='u'><b/><c xmlns='jabber:client'/></a><d xmlns=''/></message>");
  EXPECT_EQ(
      Canonical("<message xmlns:x='u'><x:a y='1' x:y='2' xml:lang='de'><x:b/></x:a></message>"),
      "<message><a xmlns='u' y='1' xmlns:a1='u' a1:y='2' xml:lang='de'><b/></a></message>");
  EXPECT_EQ(Canonical("<message xmlns:x='u' xmlns:z='v'><a x:p='1' z:p='2' x:q='3'/></message>"),
            "<message><a xmlns:a1='u' a1:p='1' xmlns:a2='v' a2:p='2' a1:q='3'/></message>");
}

TEST(Framer, KeepsTextAndEscapesIt) {
  EXPECT_EQ(
      Canonical("<message><body>a&lt;b&#xD;&amp;\r\nc &gt;<![CDATA[]]&gt;]]></body></message>"),
      "<message><body>a&lt;b&#xD;&amp;\nc &gt;]]&amp;gt;</body></message>");
  EXPECT_EQ(Canonical("<message id=\"'&#10;&quot;\"/>"), "<message id='&apos;&#xA;\"'/>");
  EXPECT_EQ(Canonical("<message> <a> </a>\n</message>"), "<message> <a> </a>\n</message>");
}

TEST(Framer, FillsTheEnvelope) {
  const Stanza s = Read(
      "<message to='Bob@Host' from='me@h' id='7' type='chat' xml:lang='de'><body>x</body>"
      "<active xmlns='http://jabber.org/protocol/chatstates'/>"
      "<request xmlns='urn:xmpp:receipts'/><store xmlns='urn:xmpp:hints'/></message>");
  EXPECT_EQ(s.kind, StanzaKind::kMessage);
  EXPECT_EQ(s.type, StanzaType::kChat);
  EXPECT_EQ(s.to, "Bob@Host");
  EXPECT_EQ(s.from, "me@h");
  EXPECT_EQ(s.id, "7");
  EXPECT_EQ(s.lang, "de");
  EXPECT_EQ(s.payload_name, "body");
  EXPECT_EQ(s.payload_ns, "jabber:client");
  EXPECT_EQ(s.flags, kHasBody | kHasChatState | kHasReceipt | kHasHint | kManyPayloads);
  EXPECT_THAT(s.bytes, HasSubstr("<message id='7' type='chat' xml:lang='de'><body>"));
  EXPECT_EQ(Read("<iq/>").flags, kNoPayload);
  EXPECT_EQ(Read("<presence type=''/>").type, StanzaType::kInvalid);
  EXPECT_EQ(Read("<presence to=''/>").verdict, Verdict::kJidMalformed);
}

TEST(Framer, CountsOnlyTheRootsOwnChildren) {
  const Stanza s = Read("<message><x xmlns='u'><body xmlns='jabber:client'/></x></message>");
  EXPECT_EQ(s.flags, 0u);
  EXPECT_EQ(s.payload_ns, "u");
}

TEST(Framer, WritesOtherContentNamespacesAsJabberClient) {
  Stream s({}, Framer::Mode::kStream, ns::kServer);
  s.Feed(
      "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
      "xmlns:db='jabber:server:dialback'><message to='a@b' from='c@d'><body>x</body></message>"
      "<db:result to='a' from='b'>key</db:result>");
  ASSERT_EQ(s.seen.stanzas.size(), 2u);
  EXPECT_EQ(s.seen.stanzas[0].bytes, "<message><body>x</body></message>");
  EXPECT_EQ(s.seen.stanzas[0].flags, kHasBody);
  EXPECT_EQ(s.seen.stanzas[1].kind, StanzaKind::kNonza);
  EXPECT_EQ(s.seen.stanzas[1].bytes,
            "<result xmlns='jabber:server:dialback' to='a' from='b'>key</result>");
}

// ---- attacks.md, by row ----

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

// ---- parsers ----

TEST(Framer, ReportsALongTagWithItsLastByte) {
  const std::string stanza = "<message id='" + std::string(20000, '>') + "'/>";
  Stream s;
  s.Feed(kHeader);
  s.FeedByteByByte(stanza.substr(0, stanza.size() - 1));
  EXPECT_EQ(s.seen.stanzas.size(), 0u);
  s.Feed(">");
  ASSERT_EQ(s.seen.stanzas.size(), 1u);
  EXPECT_EQ(s.seen.stanzas[0].id.size(), 20000u);
  EXPECT_FALSE(s.framer.InStanza());
  // The same in uneven pieces, with quotes and markup about.
  const std::string tag = "<message a=\"'>'" + std::string(9000, 'y') + "\" b='\">/>" +
                          std::string(9000, 'z') + "' id='q'>";
  for (size_t step : {3u, 997u, 1024u, 5000u}) {
    Stream t;
    t.Feed(kHeader);
    const std::string all = tag + "</message>";
    for (size_t i = 0; i < all.size(); i += step) t.Feed(std::string_view(all).substr(i, step));
    ASSERT_EQ(t.seen.stanzas.size(), 1u) << step;
    EXPECT_EQ(t.seen.stanzas[0].id, "q");
  }
}

TEST(Framer, SpendsLittleOnALongTagSentByteByByte) {
  Stream s;
  s.Feed(kHeader);
  const std::string tag = "<message id='" + std::string(250000, '>') + "'/>";
  const auto begin = std::chrono::steady_clock::now();
  s.FeedByteByByte(tag);
  const auto spent = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(s.seen.stanzas.size(), 1u);
  // Parsed again for each byte it would be half a minute.
  EXPECT_LT(spent, std::chrono::seconds(3) * xylem_test::kSlowness);
}

TEST(Framer, AReturnBehindAStanzaIsWhiteSpaceAtOnce) {
  FramerPool pool;
  FramerRecorder seen;
  Framer framer(pool, seen, Framer::Mode::kStream, ns::kClient, {});
  framer.Feed(kHeader + "<presence/>\r");
  EXPECT_FALSE(framer.InStanza());
  EXPECT_FALSE(framer.HoldsParser());
  EXPECT_EQ(framer.whitespace_bytes(), 1u);
  framer.Feed("\n<presence/>\r\r");  // the same parser again
  EXPECT_FALSE(framer.HoldsParser());
  EXPECT_EQ(framer.whitespace_bytes(), 4u);
  framer.Feed("<message><body>\r");
  framer.Feed("\n</body></message>");
  EXPECT_TRUE(seen.errors.empty());
  ASSERT_EQ(seen.stanzas.size(), 3u);
  EXPECT_EQ(seen.stanzas[2].bytes, "<message><body>\n</body></message>");
}

TEST(Framer, HoldsAParserOnlyInsideAStanza) {
  Stream s;
  EXPECT_FALSE(s.framer.HoldsParser());
  s.Feed(kHeader);
  EXPECT_FALSE(s.framer.HoldsParser());
  s.Feed("  \n");
  EXPECT_FALSE(s.framer.HoldsParser());
  s.Feed("<mess");
  EXPECT_TRUE(s.framer.HoldsParser());
  EXPECT_TRUE(s.framer.InStanza());
  s.Feed("age><body>x");
  EXPECT_TRUE(s.framer.InStanza());
  s.Feed("</body></message>");
  EXPECT_FALSE(s.framer.HoldsParser());
  EXPECT_FALSE(s.framer.InStanza());
}

TEST(FramerPool, CarriesNothingFromOneConnectionToAnother) {
  FramerPool pool(4);
  FramerRecorder a, b;
  Framer first(pool, a, Framer::Mode::kStream, ns::kClient, {});
  Framer second(pool, b, Framer::Mode::kStream, ns::kClient, {});
  const std::string streams = "xmlns:stream='http://etherx.jabber.org/streams'";
  first.Feed("<stream:stream xmlns='jabber:client' xmlns:p='urn:one' " + streams + " id='a'>");
  second.Feed("<stream:stream xmlns='jabber:client' " + streams + " xmlns:p='urn:two'>");
  for (int i = 0; i < 5; ++i) {
    first.Feed("<message xmlns:q='urn:q'><p:x q:y='1'/></message>");
    second.Feed("<message><p:x/></message>");
  }
  ASSERT_EQ(a.stanzas.size(), 5u);
  ASSERT_EQ(b.stanzas.size(), 5u);
  EXPECT_EQ(a.stanzas[4].bytes,
            "<message><x xmlns='urn:one' xmlns:a1='urn:q' a1:y='1'/></message>");
  EXPECT_EQ(b.stanzas[4].bytes, "<message><x xmlns='urn:two'/></message>");
  EXPECT_TRUE(a.errors.empty() && b.errors.empty());
  // A prefix that another stream's header or stanza declared is unbound here.
  FramerRecorder c;
  Framer third(pool, c, Framer::Mode::kStream, ns::kClient, {});
  third.Feed("<stream:stream xmlns='jabber:client' " + streams + ">");
  third.Feed("<message><p:x/></message>");
  EXPECT_EQ(c.Condition(), "not-well-formed");
  second.Feed("<message q:y='1'/>");
  EXPECT_EQ(b.Condition(), "not-well-formed");
  first.Feed("<message><p:x/></message>");
  EXPECT_EQ(a.stanzas.size(), 6u);
}

TEST(FramerPool, LendsOneParserToStreamsThatDeclareTheSame) {
  FramerPool pool(1);
  FramerRecorder a, b;
  Framer first(pool, a, Framer::Mode::kStream, ns::kClient, {});
  Framer second(pool, b, Framer::Mode::kStream, ns::kClient, {});
  first.Feed(kHeader);
  second.Feed(kHeader);
  // Both inside a stanza at once, in turns: each has a parser of its own meanwhile.
  const std::string one = "<message id='1'><body>first</body></message>";
  const std::string two = "<iq id='2' type='get'><q xmlns='u'/></iq>";
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < one.size() || i < two.size(); ++i) {
      if (i < one.size()) first.Feed(std::string_view(one).substr(i, 1));
      if (i < two.size()) second.Feed(std::string_view(two).substr(i, 1));
    }
  }
  ASSERT_EQ(a.stanzas.size(), 3u);
  ASSERT_EQ(b.stanzas.size(), 3u);
  EXPECT_EQ(a.stanzas[2].bytes, one);
  EXPECT_EQ(b.stanzas[2].bytes, two);
}

TEST(FramerPool, DoesNotKeepAParserThatMetAnError) {
  FramerPool pool(4);
  for (int i = 0; i < 3; ++i) {
    FramerRecorder bad, good;
    Framer broken(pool, bad, Framer::Mode::kStream, ns::kClient, {});
    broken.Feed(kHeader + "<message><body>");
    broken.Feed("&broken;");
    EXPECT_EQ(bad.Condition(), "restricted-xml");
    EXPECT_EQ(broken.Feed("<presence/>"), 0u);
    Framer whole(pool, good, Framer::Mode::kStream, ns::kClient, {});
    whole.Feed(kHeader + "<presence/>");
    EXPECT_EQ(good.stanzas.size(), 1u);
    // Gone in the middle of a stanza: its parser must not come back either.
    FramerRecorder gone;
    Framer left(pool, gone, Framer::Mode::kStream, ns::kClient, {});
    left.Feed(kHeader + "<message><body>unfinished");
  }
}

TEST(Framer, ReadsOnPastTheLifeOfAParser) {
  Stream s;
  s.Feed(kHeader);
  std::string batch;
  for (int i = 0; i < 2000; ++i) {
    batch += "<message id='" + std::to_string(i) + "'><n" + std::to_string(i) + "/></message> ";
  }
  // Never cut between two stanzas, so that the parser is not handed back by itself.
  for (size_t i = 0; i < batch.size(); i += 8191) s.Feed(std::string_view(batch).substr(i, 8191));
  s.Feed(batch);
  ASSERT_EQ(s.seen.stanzas.size(), 4000u);
  EXPECT_EQ(s.seen.stanzas[3999].id, "1999");
  EXPECT_EQ(s.framer.whitespace_bytes(), 4000u);
}

// ---- stopping and restarting ----

TEST(Framer, StopsBehindTheEventThatAskedForIt) {
  const std::string rest = "<presence/><iq id='1' type='get'><q xmlns='u'/></iq>";
  for (const std::string& first :
       {std::string("<message id='m'><body>x</body></message>"), std::string("<presence/>")}) {
    Stream s;
    s.seen.stop_after = 2;
    const std::string all = kHeader + first + rest;
    EXPECT_EQ(s.Feed(all), kHeader.size() + first.size());
    EXPECT_EQ(s.seen.log.size(), 2u);
    EXPECT_FALSE(s.framer.HoldsParser());
    s.seen.stop_after = SIZE_MAX;
    EXPECT_EQ(s.Feed(rest), rest.size());
    EXPECT_EQ(s.seen.stanzas.size(), 3u);
    EXPECT_TRUE(s.seen.errors.empty());
  }
}

TEST(Framer, StopsBehindTheHeader) {
  Stream s;
  s.seen.stop_after = 1;
  EXPECT_EQ(s.Feed(kHeader + "<presence/>"), kHeader.size());
  s.seen.stop_after = SIZE_MAX;
  s.Feed("<presence/></stream:stream>");
  EXPECT_THAT(s.seen.log, ElementsAre(HasSubstr("header"), HasSubstr("stanza"), "end"));
}

TEST(Framer, ReportsTheEndOfAnEmptyStreamAfterAStop) {
  const std::string empty = kHeader.substr(0, kHeader.size() - 1) + "/>";
  Stream s;
  s.seen.stop_after = 1;
  EXPECT_EQ(s.Feed(empty), empty.size());
  s.seen.stop_after = SIZE_MAX;
  s.Feed("");
  EXPECT_THAT(s.seen.log, ElementsAre(HasSubstr("header"), "end"));
  EXPECT_EQ(ErrorOf(empty), "");
}

TEST(Framer, StopsBehindAStanzaWithALongTagInPieces) {
  Stream s;
  s.Feed(kHeader);
  s.seen.stop_after = 2;
  s.FeedByteByByte("<message id='" + std::string(5000, 'x'));
  EXPECT_EQ(s.Feed("yy'/><presence/>"), 5u);
  EXPECT_EQ(s.Feed("<presence/>"), 11u);
}

TEST(Framer, StartsANewDocumentAfterRestart) {
  Stream s;
  const std::string other =
      "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns:z='urn:z' "
      "xmlns='jabber:client' id='2'>";
  s.Feed(kHeader + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>x</auth>");
  s.framer.Restart();
  s.Feed("\n<?xml version='1.0'?>" + other + "<message><z:a/></message>");
  ASSERT_EQ(s.seen.headers.size(), 2u);
  EXPECT_EQ(s.seen.headers[1].id, "2");
  ASSERT_EQ(s.seen.stanzas.size(), 2u);
  // Nothing of the old document: its declarations are gone.
  s.framer.Restart();
  s.Feed(kHeader + "<message><z:a/></message>");
  EXPECT_EQ(s.seen.Condition(), "not-well-formed");
}

TEST(Framer, RestartsFromInsideAnEvent) {
  class Negotiation : public FramerRecorder {
   public:
    bool OnStanza(Stanza s) override {
      const bool auth = s.payload_name == "auth";
      FramerRecorder::OnStanza(std::move(s));
      if (auth) framer->Restart();
      return true;
    }
    Framer* framer = nullptr;
  };
  FramerPool pool;
  Negotiation seen;
  Framer framer(pool, seen, Framer::Mode::kStream, ns::kClient, {});
  seen.framer = &framer;
  const std::string first = kHeader + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
  EXPECT_EQ(framer.Feed(first + kHeader), first.size());
  framer.Feed(kHeader + "<presence/>");
  EXPECT_EQ(seen.headers.size(), 2u);
  EXPECT_TRUE(seen.errors.empty());
}

TEST(Framer, IgnoresWhatFollowsTheEnd) {
  Stream s;
  s.Feed(kHeader + "</stream:stream>");
  s.Feed("\n<presence/>&");
  EXPECT_THAT(s.seen.log, ElementsAre(HasSubstr("header"), "end"));
  EXPECT_FALSE(s.framer.HoldsParser());
}

TEST(Framer, TakesNewLimitsBetweenStanzas) {
  Stream s(FramerLimits::BeforeAuthentication());
  s.Feed(kHeader);
  s.framer.SetLimits({});
  s.Feed("<message><body>" + std::string(50000, 'x') + "</body></message>");
  EXPECT_EQ(s.seen.stanzas.size(), 1u);
}

// ---- RFC 7395 ----

constexpr std::string_view kOpen =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0' "
    "xml:lang='en'/>";

TEST(FramerOfFrames, ReadsOneDocumentPerFrame) {
  Stream s({}, Framer::Mode::kFrame);
  EXPECT_EQ(s.Feed(kOpen), kOpen.size());
  s.Feed("<message xmlns='jabber:client' to='a@b'><body>x</body></message>");
  s.Feed("<?xml version='1.0'?><presence xmlns='jabber:client'/>");
  s.Feed("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>x</auth>");
  s.Feed(kOpen);
  s.Feed("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
  ASSERT_EQ(s.seen.log.size(), 6u);
  EXPECT_EQ(s.seen.headers[0].to, "localhost");
  EXPECT_EQ(s.seen.headers[0].version, "1.0");
  EXPECT_EQ(s.seen.headers[0].lang, "en");
  EXPECT_EQ(s.seen.headers[0].content_ns, "jabber:client");
  EXPECT_EQ(s.seen.stanzas[0].bytes, "<message><body>x</body></message>");
  EXPECT_EQ(s.seen.stanzas[0].to, "a@b");
  EXPECT_EQ(s.seen.stanzas[1].kind, StanzaKind::kPresence);
  EXPECT_EQ(s.seen.stanzas[2].kind, StanzaKind::kNonza);
  EXPECT_EQ(s.seen.log[5], "end");
  EXPECT_FALSE(s.framer.HoldsParser());
}

TEST(FramerOfFrames, RefusesAnythingButOneDocument) {
  auto error = [](std::string_view frame) {
    Stream s({}, Framer::Mode::kFrame);
    s.Feed(kOpen);
    s.Feed(frame);
    EXPECT_EQ(s.seen.stanzas.size(), 0u) << frame;
    return s.seen.Condition();
  };
  EXPECT_EQ(error("<presence xmlns='jabber:client'/><presence xmlns='jabber:client'/>"),
            "not-well-formed");
  EXPECT_EQ(error("<presence xmlns='jabber:client'>"), "not-well-formed");
  EXPECT_EQ(error("<presence xmlns='jab"), "not-well-formed");
  EXPECT_EQ(error(""), "not-well-formed");
  EXPECT_EQ(error("text"), "not-well-formed");
  EXPECT_EQ(error("<presence xmlns='jabber:client'/>x"), "not-well-formed");
  EXPECT_EQ(error("<!-- --><presence xmlns='jabber:client'/>"), "restricted-xml");
  EXPECT_EQ(error("<presence xmlns='jabber:client'/><!-- -->"), "restricted-xml");
  EXPECT_EQ(error("<!DOCTYPE a><presence xmlns='jabber:client'/>"), "restricted-xml");
  EXPECT_EQ(error("<?xml version='1.0' encoding='latin1'?><a/>"), "unsupported-encoding");
  EXPECT_EQ(error("\xFF\xFE<"), "unsupported-encoding");
  EXPECT_EQ(error("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'><a/></open>"), "bad-format");
  EXPECT_EQ(error("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'>a</open>"), "bad-format");
  EXPECT_EQ(error("<m xmlns='jabber:client'>" + std::string(300000, 'x') + "</m>"),
            "policy-violation");
}

TEST(FramerOfFrames, TreatsAnUnqualifiedStanzaAsNoStanza) {
  Stream s({}, Framer::Mode::kFrame);
  s.Feed(kOpen);
  s.Feed("<message><body/></message>");
  ASSERT_EQ(s.seen.stanzas.size(), 1u);
  EXPECT_EQ(s.seen.stanzas[0].kind, StanzaKind::kNonza);
}

}  // namespace
}  // namespace xmpp
