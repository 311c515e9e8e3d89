#include "connmgr/admission.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "lib/runtime/event_loop.h"

namespace connmgr {
namespace {

uint64_t Now() { return runtime::EventLoop::MonotonicMs(); }

Settings NoLimits() {
  Settings settings;
  settings.accepts_per_second = 0;
  return settings;
}

TEST(TokenBucket, HoldsTwoSecondsWorthAndRefills) {
  TokenBucket bucket(10, 1000);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(bucket.TryTake(1000)) << i;
  EXPECT_FALSE(bucket.TryTake(1000));
  EXPECT_FALSE(bucket.TryTake(1099));
  EXPECT_TRUE(bucket.TryTake(1100));
  EXPECT_FALSE(bucket.Full(2000));
  EXPECT_TRUE(bucket.Full(9000));
}

TEST(TokenBucket, GoesIntoDebtAndSaysHowLong) {
  TokenBucket bucket(1000, 0);
  bucket.Take(2000, 0);
  EXPECT_EQ(bucket.Debt().count(), 0);
  bucket.Take(500, 0);
  EXPECT_EQ(bucket.Debt().count(), 501);
  bucket.Take(0, 501);
  EXPECT_EQ(bucket.Debt().count(), 0);
}

TEST(TokenBucket, WithoutARateLimitsNothing) {
  TokenBucket bucket(0, 0);
  bucket.Take(1'000'000'000, 0);
  EXPECT_EQ(bucket.Debt().count(), 0);
  EXPECT_TRUE(bucket.TryTake(0));
  EXPECT_TRUE(bucket.Full(0));
}

TEST(TokenBucket, SurvivesAClockALittleBehind) {
  TokenBucket bucket(10, 1000);
  for (int i = 0; i < 20; ++i) bucket.TryTake(1000);
  EXPECT_FALSE(bucket.TryTake(900));
  EXPECT_FALSE(bucket.TryTake(1000));  // time given twice would let it in
}

TEST(Admission, RefusesOverItsConnectionsAndSaysWhichLimit) {
  Settings settings = NoLimits();
  settings.connections = 2;
  Admission configured(settings, 100);
  EXPECT_EQ(configured.MayAccept(Now()), std::nullopt);
  EXPECT_FALSE(configured.AtLimit());
  EXPECT_EQ(configured.MayAccept(Now()), std::nullopt);
  EXPECT_TRUE(configured.AtLimit());
  EXPECT_EQ(configured.MayAccept(Now()), Refusal::kConnections);
  EXPECT_EQ(configured.connections(), 2u);
  configured.Leave();
  EXPECT_EQ(configured.MayAccept(Now()), std::nullopt);

  Admission by_descriptors(settings, 1);
  EXPECT_EQ(by_descriptors.MayAccept(Now()), std::nullopt);
  EXPECT_EQ(by_descriptors.MayAccept(Now()), Refusal::kDescriptors);
}

TEST(Admission, RefusesOverItsRateAndCountsNobody) {
  Settings settings;
  settings.accepts_per_second = 1;
  Admission admission(settings, 100);
  const uint64_t now = Now();
  EXPECT_EQ(admission.MayAccept(now), std::nullopt);
  EXPECT_EQ(admission.MayAccept(now), std::nullopt);
  EXPECT_EQ(admission.MayAccept(now), Refusal::kRate);
  EXPECT_EQ(admission.connections(), 2u);
  EXPECT_EQ(admission.MayAccept(now, Admission::Pace::kIgnored), std::nullopt);
  EXPECT_EQ(admission.connections(), 3u);
}

TEST(Admission, RefusesWhileManyNegotiate) {
  Settings settings = NoLimits();
  settings.handshakes = 1;
  Admission admission(settings, 100);
  admission.BeginHandshake();
  EXPECT_EQ(admission.MayAccept(Now()), Refusal::kHandshakes);
  EXPECT_EQ(admission.connections(), 0u);
  admission.EndHandshake();
  EXPECT_EQ(admission.MayAccept(Now()), std::nullopt);
}

TEST(Admission, CountsConnectionsOfEachAddress) {
  Settings settings = NoLimits();
  settings.connections_per_address = 2;
  Admission admission(settings, 100);
  const Admission::AddressKey one{1}, other{2};
  EXPECT_TRUE(admission.EnterAddress(one, Now()));
  EXPECT_TRUE(admission.EnterAddress(one, Now()));
  EXPECT_FALSE(admission.EnterAddress(one, Now()));
  EXPECT_TRUE(admission.EnterAddress(other, Now()));
  admission.LeaveAddress(one);
  EXPECT_TRUE(admission.EnterAddress(one, Now()));
}

TEST(Admission, LimitsTheRateOfEachAddress) {
  Settings settings = NoLimits();
  settings.accepts_per_address_per_second = 1;
  Admission admission(settings, 100);
  const Admission::AddressKey one{1};
  const uint64_t now = Now();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(admission.EnterAddress(one, now));
    admission.LeaveAddress(one);  // its bucket stays
  }
  EXPECT_FALSE(admission.EnterAddress(one, now));
  EXPECT_TRUE(admission.EnterAddress(one, now + 1000));
}

TEST(Admission, KeepsItsCountAmongThreads) {
  Settings settings = NoLimits();
  settings.connections = 50;
  settings.handshakes = 100000;
  Admission admission(settings, 1000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        if (admission.MayAccept(1)) continue;
        EXPECT_LE(admission.connections(), 54u);  // others may be looking in
        admission.Leave();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(admission.connections(), 0u);
}

}  // namespace
}  // namespace connmgr
