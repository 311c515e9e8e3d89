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
