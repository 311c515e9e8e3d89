#include "lib/xmpp/stanza.h"

#include <gtest/gtest.h>

namespace xmpp {
namespace {

Stanza Iq(StanzaType type, uint64_t flags) {
  Stanza s;
  s.kind = StanzaKind::kIq;
  s.type = type;
  s.id = "1";
  s.flags = flags;
  return s;
}
Verdict Judge(Stanza s) {
  ValidateAtEdge(&s);
  return s.verdict;
}

TEST(Stanza, KnowsEachKindsTypes) {
  EXPECT_EQ(ParseType(StanzaKind::kMessage, ""), StanzaType::kNormal);
  EXPECT_EQ(ParseType(StanzaKind::kMessage, "groupchat"), StanzaType::kGroupchat);
  EXPECT_EQ(ParseType(StanzaKind::kMessage, "get"), StanzaType::kInvalid);
  EXPECT_EQ(ParseType(StanzaKind::kPresence, ""), StanzaType::kNone);
  EXPECT_EQ(ParseType(StanzaKind::kPresence, "probe"), StanzaType::kProbe);
  EXPECT_EQ(ParseType(StanzaKind::kPresence, "available"), StanzaType::kInvalid);
  EXPECT_EQ(ParseType(StanzaKind::kIq, "set"), StanzaType::kSet);
  EXPECT_EQ(ParseType(StanzaKind::kIq, ""), StanzaType::kInvalid);
  for (auto kind : {StanzaKind::kMessage, StanzaKind::kPresence, StanzaKind::kIq}) {
    EXPECT_EQ(ParseType(kind, "error"), StanzaType::kError);
    EXPECT_EQ(ParseType(kind, "GET"), StanzaType::kInvalid);
    EXPECT_EQ(ParseType(kind, TypeName(StanzaType::kInvalid)), ParseType(kind, ""));
  }
  EXPECT_EQ(TypeName(StanzaType::kUnsubscribed), "unsubscribed");
  EXPECT_EQ(TypeName(StanzaType::kNone), "");
}

// tests/attacks, row 31
TEST(EdgeValidation, WantsIqsByTheBook) {
  EXPECT_EQ(Judge(Iq(StanzaType::kGet, 0)), Verdict::kOk);
  EXPECT_EQ(Judge(Iq(StanzaType::kSet, kNoPayload)), Verdict::kBadRequest);
  EXPECT_EQ(Judge(Iq(StanzaType::kGet, kManyPayloads)), Verdict::kBadRequest);
  EXPECT_EQ(Judge(Iq(StanzaType::kResult, kNoPayload)), Verdict::kOk);
  EXPECT_EQ(Judge(Iq(StanzaType::kResult, kManyPayloads)), Verdict::kBadRequest);
  EXPECT_EQ(Judge(Iq(StanzaType::kError, kManyPayloads)), Verdict::kOk);
  EXPECT_EQ(Judge(Iq(StanzaType::kInvalid, 0)), Verdict::kBadRequest);
  Stanza without_id = Iq(StanzaType::kGet, 0);
  without_id.id.clear();
  EXPECT_EQ(Judge(without_id), Verdict::kBadRequest);
}

TEST(EdgeValidation, TakesAnUnknownMessageTypeForNormal) {
  Stanza s;
  s.type = StanzaType::kInvalid;
  ValidateAtEdge(&s);
  EXPECT_EQ(s.type, StanzaType::kNormal);
  EXPECT_EQ(s.verdict, Verdict::kOk);
  Stanza presence;
  presence.kind = StanzaKind::kPresence;
  presence.type = StanzaType::kInvalid;
  EXPECT_EQ(Judge(presence), Verdict::kBadRequest);
}

// tests/attacks, row 30
TEST(EdgeValidation, NormalisesAddresses) {
  Stanza s;
  s.to = "Bob@EXAMPLE.org/Desk";
  ValidateAtEdge(&s);
  EXPECT_EQ(s.to, "bob@example.org/Desk");
  EXPECT_EQ(s.verdict, Verdict::kOk);
  for (const char* bad : {"@example.org", "a@", "a@b/", "a@@b", "/x"}) {
    Stanza wrong;
    wrong.to = bad;
    ValidateAtEdge(&wrong);
    EXPECT_EQ(wrong.verdict, Verdict::kJidMalformed) << bad;
    EXPECT_EQ(wrong.to, bad);
  }
}

TEST(EdgeValidation, LeavesNonzasAndEarlierVerdictsAlone) {
  Stanza nonza;
  nonza.kind = StanzaKind::kNonza;
  nonza.to = "@@";
  EXPECT_EQ(Judge(nonza), Verdict::kOk);
  Stanza empty_to;
  empty_to.verdict = Verdict::kJidMalformed;
  EXPECT_EQ(Judge(empty_to), Verdict::kJidMalformed);
}

TEST(Stanza, SplicesAddressesBehindTheName) {
  EXPECT_EQ(WithAddresses("<message id='1'/>", StanzaKind::kMessage, "a@b", "c'd@e"),
            "<message from='a@b' to='c&apos;d@e' id='1'/>");
  EXPECT_EQ(WithAddresses("<presence/>", StanzaKind::kPresence, "a@b", ""),
            "<presence from='a@b'/>");
  EXPECT_EQ(WithAddresses("<iq id='1'/>", StanzaKind::kIq, "", "x"), "<iq to='x' id='1'/>");
  EXPECT_EQ(WithAddresses("<r xmlns='u'/>", StanzaKind::kNonza, "a", "b"), "<r xmlns='u'/>");
  std::string out = "…";
  AppendWithTo(&out, "<presence/>", SpliceOffset(StanzaKind::kPresence), "a@b");
  EXPECT_EQ(out, "…<presence to='a@b'/>");
}

}  // namespace
}  // namespace xmpp
