#include "business/session/ownership_guard.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "lib/cluster/redis_keys.h"
#include "tests/business/session/session_fixture.h"

namespace business {
namespace {

constexpr char kRomeo[] = "romeo@example.org";

class OwnershipGuardTest : public testing::Test {
 protected:
  OwnershipGuardTest() : s_(redis_.address()), link_(s_.Link()) {
    bound_ = s_.Bind(link_, 1, kRomeo, "a");
  }
  std::string Key() { return cluster::SessionsKey(cluster::AccountTag(kRomeo)); }

  runtime::RedisServer redis_;
  Server s_;
  std::shared_ptr<RecordingLink> link_;
  xylem::v1::Negotiated bound_;
};

TEST_F(OwnershipGuardTest, ReadsOnceForAllThatIsSubmittedInATurn) {
  const uint64_t before = s_.redis.client()->stats().commands;
  s_.Run([&] {
    for (uint64_t in_seq = 1; in_seq <= 20; ++in_seq) s_.Submit(link_, bound_, in_seq);
  });
  EXPECT_TRUE(s_.Until([&] { return !link_->accepted.empty(); }));
  EXPECT_EQ(s_.Get([&] { return link_->accepted.back().number; }), 20u);
  EXPECT_EQ(s_.redis.client()->stats().commands, before + 1);
  s_.Run([&] { s_.Submit(link_, bound_, 21); });
  EXPECT_TRUE(s_.Until([&] { return link_->accepted.back().number == 21; }));
  EXPECT_EQ(s_.redis.client()->stats().commands, before + 2) << "each turn has a read of its own";
}

TEST_F(OwnershipGuardTest, FencesASessionThatAnotherOwnerReplaced) {
  Server other(redis_.address());
  auto there = other.Link("connmgr-2", 88);
  other.Bind(there, 5, kRomeo, "a");
  s_.Run([&] { s_.Submit(link_, bound_, 1); });
  EXPECT_TRUE(s_.Until([&] { return link_->fenced.size() == 1; }));
  s_.Run([&] {
    EXPECT_EQ(link_->fenced[0], (Told{1, bound_.epoch(), 0, {}}));
    EXPECT_EQ(s_.table->size(), 0u);
    EXPECT_NE(s_.router->under_way[0]->state(), Submission::State::kFinished) << "no effect (R3)";
    EXPECT_TRUE(link_->accepted.empty());
  });
}

TEST_F(OwnershipGuardTest, HoldsStanzasWhileTheRowIsMissingAndGoesOnWhenItIsBack) {
  const std::string row = redis_.Do({"HGET", Key(), "a"});
  redis_.Do({"DEL", Key()});
  s_.Run([&] { s_.Submit(link_, bound_, 1); });
  EXPECT_TRUE(s_.Until([&] {
    const SessionPtr session = s_.table->Find(link_.get(), 1);
    return session && session->absent_since_ms != 0;
  }));
  EXPECT_TRUE(s_.Get([&] { return link_->accepted.empty() && link_->fenced.empty(); }));
  redis_.Do({"HSET", Key(), "a", row});
  EXPECT_TRUE(s_.Until([&] { return link_->accepted.size() == 1; }));
  EXPECT_TRUE(s_.Get([&] { return link_->fenced.empty(); }));
}

TEST_F(OwnershipGuardTest, FencesASessionWhoseRowStaysAway) {
  redis_.Do({"DEL", Key()});
  s_.Run([&] { s_.Submit(link_, bound_, 1); });
  EXPECT_TRUE(s_.Until([&] { return link_->fenced.size() == 1; }));
}

TEST_F(OwnershipGuardTest, WaitsForRedis) {
  redis_.Kill();
  s_.Run([&] { s_.Submit(link_, bound_, 1); });
  const uint64_t before = s_.redis.client()->stats().refused;
  EXPECT_TRUE(runtime::Eventually([&] { return s_.redis.client()->stats().refused > before; }));
  redis_.Start();
  s_.Run([&] { s_.Announce(link_, bound_, bound_.ticket(), 0, 0); });
  EXPECT_TRUE(
      s_.Until([&] { return !link_->accepted.empty() && link_->accepted.back().number == 1; }));
  EXPECT_TRUE(s_.Get([&] { return link_->fenced.empty(); }));
}

}  // namespace
}  // namespace business
