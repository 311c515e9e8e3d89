#include "business/features/bookmark_formats.h"

#include <gtest/gtest.h>

namespace business {
namespace {

using xmpp::Element;

PubsubItem Item(const std::string& id, const std::string& attributes, const std::string& content) {
  PubsubItem item;
  item.id = id;
  item.payload = "<conference xmlns='urn:xmpp:bookmarks:1'" + attributes + ">" + content +
                 "</conference>";
  return item;
}

Element Storage(const std::string& content) {
  auto storage = Element::Parse("<storage xmlns='storage:bookmarks'>" + content + "</storage>");
  EXPECT_TRUE(storage);
  return storage ? *storage : Element();
}

TEST(BookmarkStorage, HasAConferenceForEachItemAndKeepsTheRest) {
  const auto storage = BookmarkStorage(
      {Item("b@rooms.example", " name='B' autojoin='true'",
            "<nick>J</nick><password>p</password><extensions><x xmlns='urn:x'/></extensions>"),
       Item("a@rooms.example", "", "")},
      Storage("<conference jid='old@rooms.example'/><url name='U' url='https://example.org/'/>"));
  EXPECT_EQ(storage.Write(),
            "<storage xmlns='storage:bookmarks'>"
            "<conference jid='b@rooms.example' name='B' autojoin='true'><nick>J</nick>"
            "<password>p</password></conference><conference jid='a@rooms.example'/>"
            "<url name='U' url='https://example.org/'/></storage>");
}

TEST(BookmarkItems, AreWhatDiffersOnly) {
  const std::vector<PubsubItem> standing = {
      Item("a@rooms.example", " name='A' autojoin='1'", "<nick>J</nick>"),
      Item("b@rooms.example", " name='B'", "<extensions><x xmlns='urn:x'/></extensions>"),
      Item("gone@rooms.example", "", "")};
  const BookmarkChanges changes = BookmarkItems(
      Storage("<conference jid='A@rooms.example' name='A' autojoin='true'><nick>J</nick></conference>"
              "<conference jid='b@rooms.example' name='Bee'/>"
              "<conference jid='new@rooms.example' autojoin='0'/>"
              "<conference jid='@'/><url url='https://example.org/'/>"),
      standing);
  ASSERT_EQ(changes.publish.size(), 2u);
  EXPECT_EQ(changes.publish[0].id, "b@rooms.example");
  EXPECT_EQ(changes.publish[0].payload,
            "<conference xmlns='urn:xmpp:bookmarks:1' name='Bee'><extensions><x xmlns='urn:x'/>"
            "</extensions></conference>");
  EXPECT_EQ(changes.publish[1].id, "new@rooms.example");
  EXPECT_EQ(changes.retract, (std::vector<std::string>{"gone@rooms.example"}));
}

TEST(BookmarkItems, StayWhenTheyCameFromTheItems) {
  const std::vector<PubsubItem> items = {
      Item("a@rooms.example", " name='A' autojoin='true'", "<nick>J</nick>"),
      Item("b@rooms.example", "", "")};
  const BookmarkChanges changes = BookmarkItems(BookmarkStorage(items, Element()), items);
  EXPECT_TRUE(changes.publish.empty());
  EXPECT_TRUE(changes.retract.empty());
}

}  // namespace
}  // namespace business
