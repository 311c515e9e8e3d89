#include "business/history/retraction.h"

#include "tests/business/history/history_fixture.h"

namespace business {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

class RetractionTest : public HistoryTest {
 protected:
  void Retract(const SessionPtr& who, const std::string& to, const std::string& of,
               const std::string& id) {
    Say(who, Message(to, id,
                     "<retract xmlns='urn:xmpp:message-retract:1' id='" + of +
                         "'/><body>/me retracted</body>"));
  }
};

TEST_F(RetractionTest, LeavesATombstoneInBothArchives) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Say(romeo, kJuliet, "wrong");
  const SessionPtr phone = Available(kRomeo, "phone");
  Retract(phone, "juliet@example.org/balcony", "wrong", "r1");
  for (const SessionPtr& who : {romeo, juliet}) {
    const auto answer = Query(who);
    EXPECT_THAT(answer,
                Contains(AllOf(HasSubstr("<message xmlns='jabber:client' from='romeo@example.org/"
                                         "garden' to='juliet@example.org' type='chat' id='wrong'>"),
                               HasSubstr("<retracted xmlns='urn:xmpp:message-retract:1' id='r1' "
                                         "stamp='"))));
    EXPECT_THAT(answer, Contains(HasSubstr("id='r1'>")));
    EXPECT_THAT(answer, Each(Not(HasSubstr("<body>wrong</body>"))));
  }
}

TEST_F(RetractionTest, NobodyRetractsWhatOthersSaid) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  const SessionPtr nurse = Available("nurse@example.org", "house");
  Say(romeo, kJuliet, "m1");
  Retract(juliet, kRomeo, "m1", "r1");
  Retract(nurse, kJuliet, "m1", "r2");
  Retract(nurse, kRomeo, "m1", "r3");
  EXPECT_THAT(Query(juliet), Contains(HasSubstr("<body>m1</body>")));
  EXPECT_THAT(Query(romeo), Contains(HasSubstr("<body>m1</body>")));
}

TEST_F(RetractionTest, AgainItKeepsTheFirstTombstone) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Say(romeo, kJuliet, "m1");
  Retract(romeo, kJuliet, "m1", "r1");
  Retract(romeo, kJuliet, "m1", "r2");
  EXPECT_THAT(Query(juliet), Each(Not(HasSubstr("<retracted xmlns='urn:xmpp:message-retract:1' "
                                                "id='r2'"))));
}

TEST_F(RetractionTest, OneOfNothingIsJustAMessage) {
  const SessionPtr romeo = Available(kRomeo, "garden");
  const SessionPtr juliet = Available(kJuliet, "balcony");
  Retract(romeo, kJuliet, "never-said", "r1");
  EXPECT_THAT(Archive(juliet), testing::ElementsAre("r1"));
}

}  // namespace
}  // namespace business
