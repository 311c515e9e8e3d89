#include "business/history/archive_sweeper.h"

#include "business/message/message_metrics.h"
#include "tests/business/history/history_fixture.h"

namespace business {
namespace {

using std::chrono::milliseconds;

class SweeperTest : public HistoryTest {
 protected:
  size_t Rows() {
    const auto owner = xmpp::Jid::FromNormalized(kRomeo);
    ArchiveQuery query;
    query.max = 250;
    const auto page =
        world_.redis.Wait([&] { return world_.stores->archives->Query(owner, query); });
    return page.has_value() ? page->rows.size() : 9999;
  }
  // Runs one until it has taken so many rows.
  testing::AssertionResult Sweep(uint64_t rows, ArchiveSweeper::Options options) {
    options.interval = milliseconds(5);
    options.pause = milliseconds(1);
    const runtime::Counter& swept = MessageMetrics::Get().archive_swept;
    const uint64_t before = swept.value();
    std::unique_ptr<ArchiveSweeper> sweeper;
    world_.redis.Run([&] {
      sweeper = std::make_unique<ArchiveSweeper>(
          &world_.redis.loop(), world_.store->Archives(&world_.redis.loop()), options);
    });
    const auto reached = runtime::Eventually([&] { return swept.value() >= before + rows; });
    world_.redis.Run([&] { sweeper.reset(); });
    return reached;
  }
  void Fill(int count) {
    const SessionPtr romeo = Available(kRomeo, "garden");
    for (int i = 0; i < count; ++i) Say(romeo, kJuliet, "m" + std::to_string(i));
  }
};

TEST_F(SweeperTest, TakesWhatIsOlderThanTheRetentionInSteps) {
  Fill(20);
  ASSERT_EQ(Rows(), 20u);
  EXPECT_TRUE(Sweep(40, {.retention = milliseconds(1), .step = 7}));  // hers, too
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(SweeperTest, LeavesWhatIsYoungerAndTakesWhatWasErased) {
  Fill(3);
  const auto juliet = xmpp::Jid::FromNormalized(kJuliet);
  const auto erased = world_.redis.Wait([&] { return world_.stores->archives->Erase(juliet); });
  ASSERT_TRUE(erased.has_value());
  EXPECT_TRUE(Sweep(3, {.retention = std::chrono::hours(1)}));
  EXPECT_EQ(Rows(), 3u);
}

}  // namespace
}  // namespace business
