#include "connmgr/stream_management.h"

#include <gtest/gtest.h>

namespace connmgr {
namespace {

using Confirmation = StreamManagement::Confirmation;

void Write(StreamManagement* sm, int times) {
  for (int i = 0; i < times; ++i) sm->Wrote();
}

TEST(StreamManagement, CountsWhatComesBehindEnable) {
  const StreamManagement sm(/*base=*/5, /*confirmed=*/0);
  EXPECT_EQ(sm.Count(4), 0u);
  EXPECT_EQ(sm.Count(5), 0u);
  EXPECT_EQ(sm.Count(8), 3u);
  EXPECT_EQ(sm.Count(5 + (uint64_t{1} << 32) + 2), 2u) << "the wire's counts are of 32 bits";
}

TEST(StreamManagement, TakesConfirmationsOfWhatWasWritten) {
  StreamManagement sm(1, 0);
  Write(&sm, 5);
  EXPECT_EQ(sm.Confirm(3), Confirmation::kNew);
  EXPECT_EQ(sm.Confirm(3), Confirmation::kOld);
  EXPECT_EQ(sm.Confirm(2), Confirmation::kOld);
  EXPECT_EQ(sm.Confirm(6), Confirmation::kTooHigh);
  EXPECT_EQ(sm.Sent(), 5u);
  EXPECT_EQ(sm.Confirm(5), Confirmation::kNew);
  EXPECT_EQ(sm.confirmed(), 5u);
}

TEST(StreamManagement, GoesOnBeyondTwoToTheThirtyTwo) {
  constexpr uint64_t kWrap = uint64_t{1} << 32;
  StreamManagement sm(1, kWrap - 3);
  Write(&sm, 6);
  EXPECT_EQ(sm.Sent(), 3u);
  EXPECT_EQ(sm.Confirm(4294967295u), Confirmation::kNew);
  EXPECT_EQ(sm.Confirm(1), Confirmation::kNew);
  EXPECT_EQ(sm.confirmed(), kWrap + 1);
  EXPECT_EQ(sm.Confirm(4294967295u), Confirmation::kOld);
  EXPECT_EQ(sm.Confirm(4), Confirmation::kTooHigh);
}

TEST(StreamManagement, HoldsWhatComesEarlyWithinBounds) {
  StreamManagement sm(1, 0);
  sm.Hold(2, {"two", 0, ""});
  EXPECT_FALSE(sm.TakeNext());
  sm.Wrote();
  ASSERT_TRUE(sm.HoldsNext());
  EXPECT_EQ(sm.TakeNext()->body, "two");
  sm.Wrote();
  sm.Hold(2, {"two again", 0, ""});
  EXPECT_FALSE(sm.HoldsNext());
  for (uint64_t i = 0; i < 2 * StreamManagement::kMaxHeld; ++i) sm.Hold(10 + i, {"x", 0, ""});
  sm.HeardOf(10 + 2 * StreamManagement::kMaxHeld);
  Write(&sm, 7);  // up to 9, by a pull
  size_t held = 0;
  while (sm.TakeNext()) {
    sm.Wrote();
    ++held;
  }
  EXPECT_EQ(held, StreamManagement::kMaxHeld);
  EXPECT_TRUE(sm.behind()) << "the rest is pulled";
  sm.DropHeld();
  sm.Hold(sm.next() + 1, {std::string(StreamManagement::kMaxHeldBytes + 1, 'x'), 0, ""});
  sm.Wrote();
  EXPECT_FALSE(sm.HoldsNext());
}

TEST(StreamManagement, AsksAfterManyOrSomeTimeAndOnlyForWhatIsNotConfirmed) {
  StreamManagement sm(1, 0);
  EXPECT_FALSE(sm.ShouldAsk(/*now=*/true));
  Write(&sm, 1);
  EXPECT_FALSE(sm.ShouldAsk(/*now=*/false));
  EXPECT_TRUE(sm.ShouldAsk(/*now=*/true));
  Write(&sm, StreamManagement::kAskEvery - 1);
  EXPECT_TRUE(sm.ShouldAsk(/*now=*/false));
  sm.Asked();
  EXPECT_FALSE(sm.ShouldAsk(/*now=*/true));
  Write(&sm, 1);
  sm.Confirm(static_cast<uint32_t>(sm.written()));
  EXPECT_FALSE(sm.ShouldAsk(/*now=*/true));
}

}  // namespace
}  // namespace connmgr
