#include "business/routing/stanza_reply.h"

#include <gtest/gtest.h>

#include "business/routing/stanza_class.h"

namespace business {
namespace {

using xmpp::StanzaKind;
using xmpp::StanzaType;

xmpp::Stanza Of(StanzaKind kind, StanzaType type, uint64_t flags = 0) {
  xmpp::Stanza stanza;
  stanza.kind = kind;
  stanza.type = type;
  stanza.flags = flags;
  return stanza;
}

TEST(StanzaReply, IsNeverGivenToErrorsAndResults) {
  EXPECT_FALSE(MayBeBounced(Of(StanzaKind::kMessage, StanzaType::kError)));
  EXPECT_FALSE(MayBeBounced(Of(StanzaKind::kPresence, StanzaType::kError)));
  EXPECT_FALSE(MayBeBounced(Of(StanzaKind::kIq, StanzaType::kError)));
  EXPECT_FALSE(MayBeBounced(Of(StanzaKind::kIq, StanzaType::kResult)));
  EXPECT_TRUE(MayBeBounced(Of(StanzaKind::kIq, StanzaType::kGet)));
  EXPECT_TRUE(MayBeBounced(Of(StanzaKind::kMessage, StanzaType::kChat)));
}

TEST(StanzaReply, CarriesIdAndSender) {
  EXPECT_EQ(WriteResult("a'b", "example.org", std::nullopt),
            "<iq from='example.org' type='result' id='a&apos;b'/>");
  EXPECT_EQ(WriteResult("1", "example.org", xmpp::Element("query", "urn:example")),
            "<iq from='example.org' type='result' id='1'><query xmlns='urn:example'/></iq>");
  const std::string error = WriteError(StanzaKind::kMessage, "", "juliet@example.org",
                                       xmpp::StanzaError::ServiceUnavailable());
  EXPECT_EQ(error, "<message from='juliet@example.org' type='error'>" +
                       xmpp::StanzaError::ServiceUnavailable().ToXml() + "</message>");
}

TEST(StanzaClass, PromisesWhatTheDesignSays) {
  EXPECT_EQ(ClassOf(Of(StanzaKind::kMessage, StanzaType::kChat)), kClassDurable);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kMessage, StanzaType::kNormal)), kClassDurable);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kMessage, StanzaType::kChat, xmpp::kNoPayload)), kClassOutbox);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kMessage, StanzaType::kHeadline)), kClassOutbox);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kMessage, StanzaType::kGroupchat)), kClassOutbox);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kIq, StanzaType::kGet)), kClassIq);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kIq, StanzaType::kResult)), kClassOutbox);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kPresence, StanzaType::kUnavailable)), kClassPresence);
  EXPECT_EQ(ClassOf(Of(StanzaKind::kPresence, StanzaType::kProbe)), kClassOutbox);
}

}  // namespace
}  // namespace business
