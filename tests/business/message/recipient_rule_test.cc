// RFC 6121 §8.5 as a table: who of an account's resources gets what.
#include "business/message/recipient_rule.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace business {
namespace {

using cluster::SessionRecord;
using xmpp::StanzaKind;
using xmpp::StanzaType;

SessionRecord Row(const std::string& resource, bool available, int32_t priority) {
  SessionRecord row;
  row.resource = resource;
  row.available = available;
  row.priority = priority;
  return row;
}

// The chosen resources, blank between; then "!" if nobody means an error.
std::string Choose(StanzaKind kind, StanzaType type, const std::string& resource,
                   const std::vector<SessionRecord>& rows) {
  const Recipients chosen = ChooseRecipients(kind, type, resource, rows);
  std::string text;
  for (uint32_t i : chosen.rows) text += (text.empty() ? "" : " ") + rows[i].resource;
  if (chosen.rows.empty() && chosen.nobody == NobodyThere::kError) text += "!";
  return text;
}

std::string Message(StanzaType type, const std::string& resource,
                    const std::vector<SessionRecord>& rows) {
  return Choose(StanzaKind::kMessage, type, resource, rows);
}

const std::vector<SessionRecord> kNobody;
const std::vector<SessionRecord> kUnavailable{Row("desk", false, 0)};
const std::vector<SessionRecord> kNegative{Row("desk", true, -1)};
const std::vector<SessionRecord> kSome{Row("desk", true, 5), Row("bot", true, -1),
                                       Row("phone", true, 1), Row("tablet", true, 5),
                                       Row("new", false, 0)};

struct MessageCase {
  StanzaType type;
  // To the bare JID, with: nobody; one unavailable; one of negative priority; kSome.
  const char* bare[4];
  // To a full JID that is not connected, with: nobody; one of negative priority; kSome.
  const char* absent[3];
};

const MessageCase kMessages[] = {
    {StanzaType::kNormal, {"!", "!", "!", "desk tablet"}, {"!", "!", "!"}},
    {StanzaType::kChat, {"!", "!", "!", "desk tablet"}, {"!", "!", "desk tablet"}},
    {StanzaType::kGroupchat, {"!", "!", "!", "!"}, {"!", "!", "!"}},
    {StanzaType::kHeadline, {"", "", "", "desk phone tablet"}, {"", "", ""}},
    {StanzaType::kError, {"", "", "", ""}, {"", "", ""}},
};

TEST(RecipientRule, GivesMessagesToBareJidsAsTheRfcSays) {
  const std::vector<SessionRecord>* rows[] = {&kNobody, &kUnavailable, &kNegative, &kSome};
  for (const MessageCase& one : kMessages) {
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(Message(one.type, "", *rows[i]), one.bare[i])
          << xmpp::TypeName(one.type) << " with rows " << i;
    }
  }
}

TEST(RecipientRule, GivesMessagesToAbsentResourcesAsTheRfcSays) {
  const std::vector<SessionRecord>* rows[] = {&kNobody, &kNegative, &kSome};
  for (const MessageCase& one : kMessages) {
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(Message(one.type, "gone", *rows[i]), one.absent[i])
          << xmpp::TypeName(one.type) << " with rows " << i;
    }
  }
}

TEST(RecipientRule, GivesAConnectedResourceAllThatIsAddressedToIt) {
  for (const MessageCase& one : kMessages) {
    for (const char* resource : {"desk", "bot", "new"}) {
      EXPECT_EQ(Message(one.type, resource, kSome), resource) << xmpp::TypeName(one.type);
    }
  }
  for (StanzaType type : {StanzaType::kGet, StanzaType::kSet, StanzaType::kResult,
                          StanzaType::kError}) {
    EXPECT_EQ(Choose(StanzaKind::kIq, type, "new", kSome), "new");
  }
  EXPECT_EQ(Choose(StanzaKind::kPresence, StanzaType::kNone, "new", kSome), "new");
}

TEST(RecipientRule, AnswersRequestsToAbsentResourcesAndForgetsAnswers) {
  EXPECT_EQ(Choose(StanzaKind::kIq, StanzaType::kGet, "gone", kSome), "!");
  EXPECT_EQ(Choose(StanzaKind::kIq, StanzaType::kSet, "gone", kSome), "!");
  EXPECT_EQ(Choose(StanzaKind::kIq, StanzaType::kResult, "gone", kSome), "");
  EXPECT_EQ(Choose(StanzaKind::kIq, StanzaType::kError, "gone", kSome), "");
}

TEST(RecipientRule, GivesPresenceToAllAvailableResources) {
  for (StanzaType type : {StanzaType::kNone, StanzaType::kUnavailable}) {
    EXPECT_EQ(Choose(StanzaKind::kPresence, type, "", kSome), "desk bot phone tablet");
    EXPECT_EQ(Choose(StanzaKind::kPresence, type, "", kNobody), "");
    EXPECT_EQ(Choose(StanzaKind::kPresence, type, "gone", kSome), "");
  }
}

TEST(RecipientRule, TakesPriorityZeroAsPositive) {
  const std::vector<SessionRecord> rows{Row("desk", true, 0), Row("bot", true, -128)};
  EXPECT_EQ(Message(StanzaType::kChat, "", rows), "desk");
}

}  // namespace
}  // namespace business
