#include "lib/xmpp/canonical_writer.h"

#include <gtest/gtest.h>

namespace xmpp {
namespace {

TEST(CanonicalWriter, EscapesWhatAReaderWouldChange) {
  EXPECT_EQ(EscapeText("a<b>&'\"\t\n\r\xC3\xA9"), "a&lt;b&gt;&amp;'\"\t\n&#xD;\xC3\xA9");
  std::string out;
  AppendEscapedAttribute(&out, "a<b>&'\"\t\n\r ");
  EXPECT_EQ(out, "a&lt;b&gt;&amp;&apos;\"&#x9;&#xA;&#xD; ");
  EXPECT_EQ(EscapeText(""), "");
}

TEST(CanonicalWriter, WritesOneQuotingStyle) {
  std::string out = "<a";
  AppendAttribute(&out, "to", "o'brien@example.org");
  EXPECT_EQ(out, "<a to='o&apos;brien@example.org'");
}

TEST(CanonicalWriter, ReturnsToTheNamespaceOfTheParent) {
  std::string out;
  CanonicalWriter w;
  w.Start(&out, "c");
  w.Open("r", "c");
  w.Open("a", "u");
  w.Open("b", "");
  w.Open("c", "u");
  w.Close("c");
  w.Close("b");
  w.Open("d", "u");
  w.Close("d");
  w.Close("a");
  w.Open("e", "c");
  w.Text("t");
  w.Close("e");
  w.Close("r");
  EXPECT_EQ(out, "<r><a xmlns='u'><b xmlns=''><c xmlns='u'/></b><d/></a><e>t</e></r>");
  EXPECT_EQ(w.depth(), 0u);
}

TEST(CanonicalWriter, NumbersAttributePrefixesPerElement) {
  std::string out;
  CanonicalWriter w;
  w.Start(&out, "");
  w.Open("r", "");
  w.Attribute("x", "u", "1");
  w.Attribute("x", "v", "2");
  w.Attribute("y", "u", "3");
  w.Open("s", "");
  w.Attribute("x", "v", "4");
  w.Close("s");
  w.Close("r");
  EXPECT_EQ(out,
            "<r xmlns:a1='u' a1:x='1' xmlns:a2='v' a2:x='2' a1:y='3'>"
            "<s xmlns:a1='v' a1:x='4'/></r>");
}

}  // namespace
}  // namespace xmpp
