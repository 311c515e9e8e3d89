#include "business/message/message_content.h"

#include <gtest/gtest.h>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::StanzaType;

xmpp::Stanza Message(StanzaType type, const std::string& content, uint64_t flags) {
  xmpp::Stanza stanza;
  stanza.kind = xmpp::StanzaKind::kMessage;
  stanza.type = type;
  stanza.flags = flags;
  stanza.bytes = "<message>" + content + "</message>";
  return stanza;
}

MessageContent Of(StanzaType type, const std::string& content, uint64_t flags = 0) {
  return ContentOf(Message(type, content, flags));
}

constexpr char kBody[] = "<body>hi</body>";
std::string Hint(const std::string& name) { return "<" + name + " xmlns='urn:xmpp:hints'/>"; }

TEST(MessageContent, WithABodyIsKeptAndCopied) {
  for (StanzaType type : {StanzaType::kChat, StanzaType::kNormal}) {
    const MessageContent content = Of(type, kBody, xmpp::kHasBody);
    EXPECT_TRUE(content.archived && content.offline && content.sent_copy && content.received_copy);
  }
}

TEST(MessageContent, OfOtherTypesIsNeitherKeptNorCopied) {
  for (StanzaType type : {StanzaType::kGroupchat, StanzaType::kHeadline}) {
    const MessageContent content = Of(type, kBody, xmpp::kHasBody);
    EXPECT_FALSE(content.archived || content.offline || content.sent_copy || content.received_copy);
  }
}

TEST(MessageContent, OfAnErrorIsCopiedOnly) {
  const MessageContent content = Of(StanzaType::kError, kBody, xmpp::kHasBody);
  EXPECT_FALSE(content.archived || content.offline);
  EXPECT_TRUE(content.sent_copy && content.received_copy);
}

TEST(MessageContent, OfAChatStateAloneIsCopiedAndNotKept) {
  const MessageContent content =
      Of(StanzaType::kChat, "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
         xmpp::kHasChatState);
  EXPECT_FALSE(content.archived || content.offline);
  EXPECT_TRUE(content.sent_copy && content.received_copy);
}

TEST(MessageContent, ThatConfirmsAnotherIsKept) {
  const MessageContent receipt = Of(
      StanzaType::kNormal, "<received xmlns='urn:xmpp:receipts' id='1'/>", xmpp::kHasReceipt);
  EXPECT_TRUE(receipt.archived && receipt.offline && receipt.sent_copy);
  const MessageContent marker =
      Of(StanzaType::kChat, "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", xmpp::kHasMarker);
  EXPECT_TRUE(marker.archived && marker.offline && marker.sent_copy);
}

TEST(MessageContent, IsKeptAsItsSenderHints) {
  const auto with = [](const char* hint) {
    return Of(StanzaType::kChat, kBody + Hint(hint), xmpp::kHasBody | xmpp::kHasHint);
  };
  EXPECT_FALSE(with("no-store").archived || with("no-store").offline);
  EXPECT_FALSE(with("no-permanent-store").archived);
  EXPECT_TRUE(with("no-permanent-store").offline);
  EXPECT_FALSE(with("no-copy").sent_copy || with("no-copy").received_copy);
  EXPECT_TRUE(with("no-copy").archived);
  const MessageContent stored =
      Of(StanzaType::kChat, "<x xmlns='urn:test'/>" + Hint("store"), xmpp::kHasHint);
  EXPECT_TRUE(stored.archived && stored.offline);
  EXPECT_FALSE(Of(StanzaType::kChat, "<x xmlns='urn:test'/>").archived);
  EXPECT_FALSE(Of(StanzaType::kError, kBody + Hint("store"), xmpp::kHasHint).archived);
}

TEST(MessageContent, ThatIsPrivateIsNotCopied) {
  const MessageContent content = Of(StanzaType::kChat, "<private xmlns='urn:xmpp:carbons:2'/>",
                                    xmpp::kHasCarbon);
  EXPECT_FALSE(content.sent_copy || content.received_copy);
}

TEST(MessageContent, OfARoomFollowsTheRoomsRules) {
  const MessageContent invitation =
      Of(StanzaType::kNormal,
         "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@example.org'/></x>");
  EXPECT_TRUE(invitation.archived && invitation.sent_copy && invitation.received_copy);
  const MessageContent direct =
      Of(StanzaType::kNormal, "<x xmlns='jabber:x:conference' jid='room@example.org'/>");
  EXPECT_TRUE(direct.archived && direct.received_copy);
  const MessageContent whisper =
      Of(StanzaType::kChat, "<body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>",
         xmpp::kHasBody);
  EXPECT_TRUE(whisper.sent_copy);
  EXPECT_FALSE(whisper.received_copy);
}

TEST(MessageContent, ThatOnlyServersMaySayIsRemoved) {
  xmpp::Stanza carbon = Message(
      StanzaType::kChat,
      "<body>x</body><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></sent>",
      xmpp::kHasCarbon);
  EXPECT_TRUE(RemovePretended(&carbon));
  EXPECT_EQ(carbon.bytes, "<message><body>x</body></message>");
  xmpp::Stanza result =
      Message(StanzaType::kChat, "<result xmlns='urn:xmpp:mam:2' id='1'/>", 0);
  EXPECT_TRUE(RemovePretended(&result));
  EXPECT_NE(result.flags & xmpp::kNoPayload, 0u);
  xmpp::Stanza secret =
      Message(StanzaType::kChat, "<private xmlns='urn:xmpp:carbons:2'/>", xmpp::kHasCarbon);
  EXPECT_FALSE(RemovePretended(&secret));
}

}  // namespace
}  // namespace business
