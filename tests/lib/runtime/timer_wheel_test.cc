#include "lib/runtime/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace runtime {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

struct Noting : Timer {
  Noting(int n, std::vector<int>* f)
      : Timer([](Timer* timer) { static_cast<Noting*>(timer)->Fire(); }), number(n), fired(f) {}
  void Fire() {
    fired->push_back(number);
    if (also) also();
  }
  const int number;
  std::vector<int>* const fired;
  std::function<void()> also;
};

class TimerWheelTest : public testing::Test {
 protected:
  Noting& New() {
    timers_.push_back(std::make_unique<Noting>(static_cast<int>(timers_.size()), &fired_));
    return *timers_.back();
  }
  void Arm(Noting& timer, int64_t delay) { wheel_.Arm(&timer, now_, milliseconds(delay)); }
  void Advance(uint64_t by) { wheel_.Advance(now_ += by); }

  uint64_t now_ = 1'000'003;
  TimerWheel wheel_{now_};
  std::vector<int> fired_;
  std::vector<std::unique_ptr<Noting>> timers_;
};

TEST_F(TimerWheelTest, FiresInTheOrderOfArmingWhatIsDueAtOnce) {
  for (int64_t delay : {20, 700, 60'000, 5'000'000}) {
    fired_.clear();
    timers_.clear();
    for (int i = 0; i < 5; ++i) Arm(New(), delay);
    Advance(static_cast<uint64_t>(delay) + 16);
    EXPECT_THAT(fired_, ElementsAre(0, 1, 2, 3, 4)) << delay << " ms";
  }
  EXPECT_EQ(wheel_.armed(), 0u);
}

TEST_F(TimerWheelTest, FiresByTimeAndNeverEarly) {
  std::minstd_rand random(7);
  std::vector<uint64_t> due;
  for (int i = 0; i < 2000; ++i) {
    const auto delay = static_cast<int64_t>(random() % (i % 2 == 0 ? 500 : 3'000'000));
    due.push_back(now_ + static_cast<uint64_t>(delay));
    Noting& timer = New();
    timer.also = [this, &due, i] {
      EXPECT_GE(now_, due[static_cast<size_t>(i)]);
      EXPECT_LE(now_, due[static_cast<size_t>(i)] + 5000 + 16);  // the step below
    };
    Arm(timer, delay);
  }
  while (wheel_.armed() > 0) {
    ASSERT_GE(wheel_.UntilNext(now_), 0);
    Advance(1 + random() % 5000);
  }
  EXPECT_EQ(fired_.size(), 2000u);
}

TEST_F(TimerWheelTest, LetsACallbackCancelDestroyAndArm) {
  Noting &first = New(), &second = New(), &third = New(), &fourth = New();
  for (Noting* timer : {&first, &second, &third, &fourth}) Arm(*timer, 100);
  bool again = true;
  first.also = [&] {
    if (!std::exchange(again, false)) return;
    second.Cancel();
    timers_[2].reset();
    Arm(first, 100);
  };
  Advance(120);
  EXPECT_THAT(fired_, ElementsAre(0, 3));
  EXPECT_FALSE(second.armed());
  Advance(120);
  EXPECT_THAT(fired_, ElementsAre(0, 3, 0));
  EXPECT_EQ(wheel_.UntilNext(now_), -1);
}

TEST_F(TimerWheelTest, ArmingAgainMovesATimer) {
  Noting& timer = New();
  Arm(timer, 50);
  Arm(timer, 500);
  Advance(100);
  EXPECT_TRUE(fired_.empty());
  Advance(500);
  EXPECT_THAT(fired_, ElementsAre(0));
}

}  // namespace
}  // namespace runtime
