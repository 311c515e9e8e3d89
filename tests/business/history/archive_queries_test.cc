#include "business/history/archive_queries.h"

#include "tests/business/history/history_fixture.h"

namespace business {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using xmpp::StanzaType;

std::string Page(const std::string& inner) {
  return "<set xmlns='http://jabber.org/protocol/rsm'>" + inner + "</set>";
}

class ArchiveQueriesTest : public HistoryTest {
 protected:
  void SetUp() override {
    romeo_ = Available(kRomeo, "garden");
    juliet_ = Available(kJuliet, "balcony");
  }
  void Fill(int count, size_t bytes = 1) {
    for (int i = 1; i <= count; ++i) {
      Say(romeo_, Message(kJuliet, "m" + std::to_string(i),
                          "<body>" + std::string(bytes, 'x') + "</body>"));
    }
  }
  // Every page of a walk, one after the other.
  std::vector<std::vector<std::string>> Walk(const std::string& to, const std::string& inner = "") {
    std::vector<std::vector<std::string>> pages;
    std::string anchor;
    for (;;) {
      const auto answer =
          Query(juliet_, inner + Page("<max>250</max><" + to + ">" + anchor + "</" + to + ">"));
      EXPECT_THAT(answer.back(), HasSubstr("type='result'"));
      pages.push_back(Ids(answer));
      const std::string end = to == "after" ? "last" : "first";
      anchor = Between(answer.back(), "<" + end + ">", "</" + end + ">");
      if (answer.back().find("complete='true'") != std::string::npos || pages.size() > 20) {
        return pages;
      }
    }
  }

  SessionPtr romeo_, juliet_;
};

TEST_F(ArchiveQueriesTest, TheReplyComesBehindTheResults) {
  Fill(2);
  const auto answer =
      world_.Ask(juliet_, StanzaType::kSet, "", "<query xmlns='urn:xmpp:mam:2' queryid='f1'/>");
  EXPECT_THAT(answer, ElementsAre(AllOf(StartsWith("2 <message to='juliet@example.org/balcony' "
                                                   "from='juliet@example.org'>"),
                                        HasSubstr("queryid='f1'"), HasSubstr("id='m1'")),
                                  HasSubstr("id='m2'"),
                                  AllOf(StartsWith("2 <iq"), HasSubstr("complete='true'"),
                                        HasSubstr("<count>2</count>"))));
}

TEST_F(ArchiveQueriesTest, AnEmptyArchiveIsAnEmptyCompletePage) {
  EXPECT_THAT(Query(juliet_),
              ElementsAre(AllOf(HasSubstr("complete='true'"), HasSubstr("<count>0</count>"),
                                Not(HasSubstr("<first")))));
}

TEST_F(ArchiveQueriesTest, OthersArchivesAreForbiddenWhetherTheyExistOrNot) {
  for (const char* whose : {"romeo@example.org", "nobody@example.org"}) {
    EXPECT_THAT(world_.Ask(juliet_, StanzaType::kSet, whose, "<query xmlns='urn:xmpp:mam:2'/>"),
                ElementsAre(HasSubstr("<forbidden")));
    EXPECT_THAT(world_.Ask(juliet_, StanzaType::kGet, whose, "<metadata xmlns='urn:xmpp:mam:2'/>"),
                ElementsAre(HasSubstr("<forbidden")));
  }
}

TEST_F(ArchiveQueriesTest, UnknownIdsAreItemNotFound) {
  Fill(1);
  EXPECT_THAT(Query(juliet_, Page("<after>aaaaaaaaaaaaaaaaaaaaaaaaaa</after>")),
              ElementsAre(HasSubstr("<item-not-found")));
}

// Whoever reads slowly must not lose his stream for the size of a page.
TEST_F(ArchiveQueriesTest, BigMessagesMakeSmallPagesAndNoneIsMissed) {
  Fill(7, 200 << 10);
  const std::vector<std::string> all{"m1", "m2", "m3", "m4", "m5", "m6", "m7"};
  std::vector<std::string> forward, backward, flipped;
  for (const auto& page : Walk("after")) {
    EXPECT_THAT(page.size(), testing::AllOf(testing::Ge(1u), testing::Le(2u)));
    forward.insert(forward.end(), page.begin(), page.end());
  }
  EXPECT_EQ(forward, all);
  for (const auto& page : Walk("before"))
    backward.insert(backward.begin(), page.begin(), page.end());
  EXPECT_EQ(backward, all);
  for (const auto& page : Walk("before", "<flip-page/>")) {
    flipped.insert(flipped.begin(), page.rbegin(), page.rend());
  }
  EXPECT_EQ(flipped, all);
}

TEST_F(ArchiveQueriesTest, MetadataNamesBothEnds) {
  EXPECT_THAT(world_.Ask(juliet_, StanzaType::kGet, "", "<metadata xmlns='urn:xmpp:mam:2'/>"),
              ElementsAre(HasSubstr("<metadata xmlns='urn:xmpp:mam:2'/>")));
  Fill(3);
  const auto answer = Query(juliet_);
  const auto id = [&](size_t row) { return Between(answer[row], "urn:xmpp:mam:2' id='", "'"); };
  EXPECT_THAT(world_.Ask(juliet_, StanzaType::kGet, "", "<metadata xmlns='urn:xmpp:mam:2'/>"),
              ElementsAre(AllOf(HasSubstr("<start id='" + id(0) + "' timestamp='"),
                                HasSubstr("<end id='" + id(2) + "' timestamp='"))));
}

TEST_F(ArchiveQueriesTest, AManagerThatDoesNotTakeThePageIsAnErrorToTryAgain) {
  Fill(2);
  world_.redis.Run([&] { world_.links->refuse = 1; });
  EXPECT_THAT(Query(juliet_), testing::Contains(AllOf(HasSubstr("type='wait'"),
                                                      HasSubstr("<resource-constraint"))));
  EXPECT_THAT(Archive(juliet_), ElementsAre("m1", "m2"));
}

}  // namespace
}  // namespace business
