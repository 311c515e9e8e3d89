#include "business/pep/caps_hash.h"

#include <gtest/gtest.h>

#include "business/pep/caps_cache.h"

namespace business {
namespace {

using xmpp::Element;

Element Query(const std::string& content) {
  auto query = Element::Parse("<query xmlns='http://jabber.org/protocol/disco#info'>" + content +
                              "</query>");
  EXPECT_TRUE(query) << content;
  return query ? *query : Element();
}

constexpr char kExodus[] =
    "<identity category='client' name='Exodus 0.9.1' type='pc'/>"
    "<feature var='http://jabber.org/protocol/caps'/>"
    "<feature var='http://jabber.org/protocol/muc'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/disco#items'/>";

constexpr char kPsiForm[] =
    "<x xmlns='jabber:x:data' type='result'>"
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>"
    "<field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>"
    "<field var='os'><value>Mac</value></field>"
    "<field var='os_version'><value>10.5.1</value></field>"
    "<field var='software'><value>Psi</value></field>"
    "<field var='software_version'><value>0.11</value></field></x>";

std::string Psi(const std::string& form) {
  return "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"
         "<identity xml:lang='el' category='client' name='\u03a8 0.11' type='pc'/>"
         "<feature var='http://jabber.org/protocol/caps'/>"
         "<feature var='http://jabber.org/protocol/disco#info'/>"
         "<feature var='http://jabber.org/protocol/disco#items'/>"
         "<feature var='http://jabber.org/protocol/muc'/>" +
         form;
}

CapsId Caps(const std::string& hash, const std::string& ver) { return {hash, "urn:n", ver}; }

// §5.2 and §5.3.
TEST(CapsHash, AgreesWithTheSpecification) {
  EXPECT_EQ(CheckCaps(Caps("sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0="), Query(kExodus)),
            CapsCheck::kVerified);
  EXPECT_EQ(CheckCaps(Caps("sha-1", "q07IKJEyjvHSyhy//CH0CxmKi8w="), Query(Psi(kPsiForm))),
            CapsCheck::kVerified);
}

TEST(CapsHash, IgnoresFormsWithoutAHiddenType) {
  const std::string form =
      "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>a</value></field></x>";
  EXPECT_EQ(CapsString(Query(kExodus + form)), CapsString(Query(kExodus)));
}

TEST(CapsHash, BelievesOthersOfOneOnly) {
  EXPECT_EQ(CheckCaps(Caps("sha-1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), Query(kExodus)),
            CapsCheck::kUnverified);
  EXPECT_EQ(CheckCaps(Caps("", "0.9.1"), Query(kExodus)), CapsCheck::kUnverified);
  EXPECT_EQ(CheckCaps(Caps("whirlpool", "x"), Query(kExodus)), CapsCheck::kUnverified);
}

// §5.4, and names that could stand for several.
TEST(CapsHash, RefusesWhatIsIllFormed) {
  const auto check = [](const std::string& content) {
    return CheckCaps(Caps("sha-1", "x"), Query(content));
  };
  EXPECT_EQ(check(std::string(kExodus) + "<feature var='http://jabber.org/protocol/muc'/>"),
            CapsCheck::kIllFormed);
  EXPECT_EQ(check(std::string(kExodus) + "<identity category='client' name='Exodus 0.9.1' type='pc'/>"),
            CapsCheck::kIllFormed);
  EXPECT_EQ(check(Psi(std::string(kPsiForm) + kPsiForm)), CapsCheck::kIllFormed);
  EXPECT_EQ(check("<feature var='a&lt;b'/>"), CapsCheck::kIllFormed);
  EXPECT_EQ(check("<identity category='client' type='pc' name='x&lt;urn:y'/>"),
            CapsCheck::kIllFormed);
  EXPECT_EQ(check("<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value>"
                  "<value>b</value></field></x>"),
            CapsCheck::kIllFormed);
}

TEST(Caps, StandInAPresence) {
  const auto caps = CapsOf(
      "<presence><show>away</show><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
      "node='urn:n' ver='v='/></presence>");
  ASSERT_TRUE(caps);
  EXPECT_EQ(caps->NodeVer(), "urn:n#v=");
  EXPECT_EQ(caps->hash, "sha-1");
  EXPECT_FALSE(CapsOf("<presence/>"));
  EXPECT_FALSE(CapsOf("<presence><c xmlns='http://jabber.org/protocol/caps' node='n'/></presence>"));
  EXPECT_FALSE(CapsOf("<presence><status>http://jabber.org/protocol/caps</status></presence>"));
}

TEST(Caps, AreRememberedByHashOrBySession) {
  EXPECT_EQ(SharedCapsKey(Caps("sha-1", "a")), SharedCapsKey({"sha-1", "urn:other", "a"}));
  EXPECT_NE(SharedCapsKey(Caps("sha-1", "a")), SharedCapsKey(Caps("sha-256", "a")));
  EXPECT_EQ(SharedCapsKey(Caps("", "a")), "");
  EXPECT_NE(SessionCapsKey(Caps("", "a"), "s1"), SessionCapsKey(Caps("", "a"), "s2"));
}

TEST(Caps, SayWhatIsWanted) {
  const auto nodes = NotifyNodes(Query(
      "<feature var='b+notify'/><feature var='a+notify'/><feature var='c'/><feature var='+notify'/>"));
  EXPECT_EQ(nodes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(NotifyNodes(Query("<feature var='b+notify'/><feature var='a+notify'/>"), 1).size(), 1u);
  const Interests interests = std::make_shared<const std::vector<std::string>>(nodes);
  EXPECT_TRUE(IsInterested(interests, "b"));
  EXPECT_FALSE(IsInterested(interests, "c"));
  EXPECT_FALSE(IsInterested(nullptr, "b"));
}

}  // namespace
}  // namespace business
