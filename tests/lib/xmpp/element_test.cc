#include "lib/xmpp/element.h"

#include <gtest/gtest.h>

namespace xmpp {
namespace {

TEST(Element, ReadsWhatTheWriterWrote) {
  for (const char* text :
       {"<message/>", "<message id='1'><body>a&lt;b &amp; c&#xD;\n</body></message>",
        "<iq type='get'><query xmlns='u'><item jid='x'/></query></iq>",
        "<message> <a> </a>\n\t<b>\t</b>x <c/> </message>",
        "<a xmlns='u'><b xmlns=''><c xmlns='jabber:client'/></b></a>",
        "<m xml:lang='de' xmlns:a1='u' a1:x='&apos;&#xA;\"' xmlns:a2='v' a2:x=''/>",
        "<m>\xF0\x9F\x98\x80&gt;</m>"}) {
    const auto element = Element::Parse(text);
    ASSERT_TRUE(element.has_value()) << text;
    EXPECT_EQ(element->Write(), text);
    EXPECT_EQ(*Element::Parse(element->Write()), *element);
  }
}

TEST(Element, ResolvesNamespaces) {
  const auto e = Element::Parse(
      "<message><x xmlns='u'><y/></x><z xmlns:a1='v' a1:k='1' k='2'/>"
      "</message>");
  ASSERT_TRUE(e);
  EXPECT_TRUE(e->Is("message", "jabber:client"));
  ASSERT_NE(e->Find("x", "u"), nullptr);
  EXPECT_TRUE(e->Find("x", "u")->FirstChild()->Is("y", "u"));
  EXPECT_EQ(e->Find("x", "v"), nullptr);
  const Element* z = e->Find("z", "");
  ASSERT_NE(z, nullptr);
  EXPECT_EQ(z->ns(), "jabber:client");
  EXPECT_EQ(z->Attr("k"), "2");
  EXPECT_EQ(z->attributes()[0].ns, "v");
  EXPECT_EQ(e->Elements().size(), 2u);
  EXPECT_EQ(Element::Parse("<a/>", "jabber:server")->ns(), "jabber:server");
}

TEST(Element, RefusesWhatTheWriterCannotHaveWritten) {
  for (const std::string& text : std::initializer_list<std::string>{"",
                                                                    " ",
                                                                    "x",
                                                                    "<",
                                                                    "<>",
                                                                    "<a",
                                                                    "<a>",
                                                                    "</a>",
                                                                    "<a></b>",
                                                                    "<a/><b/>",
                                                                    "<a/>x",
                                                                    " <a/>",
                                                                    "<a/> ",
                                                                    "<!-- --><a/>",
                                                                    "<a><!-- --></a>",
                                                                    "<?xml version='1.0'?><a/>",
                                                                    "<x:a/>",
                                                                    "<a x:y='1'/>",
                                                                    "<a><![CDATA[x]]></a>",
                                                                    "<!DOCTYPE a><a/>",
                                                                    "<a b=1/>",
                                                                    "<a b/>",
                                                                    std::string("<a>\0</a>", 8)}) {
    EXPECT_FALSE(Element::Parse(text).has_value()) << text;
  }
}

TEST(Element, RefusesDepthThatTheFramerNeverLetsIn) {
  auto nested = [](int depth) {
    std::string open, close;
    for (int i = 0; i < depth; ++i) {
      open += "<a>";
      close += "</a>";
    }
    return open + close;
  };
  EXPECT_TRUE(Element::Parse(nested(80)).has_value());
  EXPECT_FALSE(Element::Parse(nested(100)).has_value());
  EXPECT_FALSE(Element::Parse(nested(100000)).has_value());
}

TEST(Element, IsBuiltAndChanged) {
  Element iq("iq", "jabber:client");
  iq.SetAttr("type", "result").SetAttr("id", "1").SetAttr("type", "error");
  Element& query = iq.Add("query", "u");
  query.Add("item", "u").SetAttr("name", "a");
  query.Add("item", "u").AddText("b").AddText("c");
  query.Add(Element("other", "v"));
  EXPECT_EQ(iq.Write(),
            "<iq type='error' id='1'><query xmlns='u'><item name='a'/><item>bc</item>"
            "<other xmlns='v'/></query></iq>");
  EXPECT_EQ(query.RemoveIf([](const Element& e) { return e.Is("item", "u"); }), 2u);
  iq.RemoveAttr("type");
  EXPECT_FALSE(iq.HasAttribute("type"));
  EXPECT_TRUE(iq.HasAttribute("id"));
  EXPECT_EQ(iq.Write(), "<iq id='1'><query xmlns='u'><other xmlns='v'/></query></iq>");
  EXPECT_EQ(iq.Write(""),
            "<iq xmlns='jabber:client' id='1'><query xmlns='u'>"
            "<other xmlns='v'/></query></iq>");
}

TEST(Element, ConcatenatesItsOwnText) {
  const auto e = Element::Parse("<a>1<b>2</b>3</a>");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->Text(), "13");
}

}  // namespace
}  // namespace xmpp
