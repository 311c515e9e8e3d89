// R5 and R7 on the links: order through hand-over, full queues and replaced streams.
#include <gmock/gmock.h>

#include "tests/business/link/link_fixture.h"

namespace business {
namespace {

using testing::ElementsAre;
using Outcome = DeliverOutcome;

// Deliveries of one loop to one session, and what became of each.
struct Sender {
  struct One {
    bool done = false;
    Outcome outcome = Outcome::kUnknown;
    bool must_fail = false;
  };
  LinkServer* server;
  int loop;
  DeliverTarget target;
  std::string padding;
  std::vector<One> issued;
  std::atomic<uint64_t> done{0}, failed{0};
  std::vector<std::string> overtaken;

  // On `loop`.
  void Issue() {
    const size_t n = issued.size();
    issued.push_back({});
    server->links(loop).Deliver({.bytes = std::to_string(n) + padding}, {target},
                                [this, n](const std::vector<Outcome>& outcomes) {
                                  issued[n].done = true;
                                  issued[n].outcome = outcomes[0];
                                  outcomes[0] == Outcome::kTaken ? OnTaken(n) : OnFailed(n);
                                  ++done;
                                });
  }
  void OnTaken(size_t n) {
    if (issued[n].must_fail) overtaken.push_back(std::to_string(n) + " was taken later");
  }
  // Whatever was issued behind `n` before this moment must fail, too: note what did not.
  void OnFailed(size_t n) {
    ++failed;
    for (size_t i = n + 1; i < issued.size(); ++i) {
      if (issued[i].done && issued[i].outcome == Outcome::kTaken) {
        overtaken.push_back(std::to_string(i) + " was taken before " + std::to_string(n));
      }
      issued[i].must_fail = true;
    }
  }
};

TEST_F(LinkServerTest, KeepsTheOrderOfTenThousandDeliveries) {
  for (int loop = 0; loop < kLoops; ++loop) {
    const uint64_t incarnation = 41 + static_cast<uint64_t>(loop);
    FakeManager& manager = Attach("connmgr-1", incarnation, 0);  // on loop 0, then on loop 1
    manager.TakeAll();
    Sender sender{server_.get(), 0, To("connmgr-1", incarnation, 3), {}, {}};
    for (int turn = 0; turn < 100; ++turn) {
      loops_.RunOn(0, [&] {
        for (int i = 0; i < 100; ++i) sender.Issue();
      });
    }
    ASSERT_TRUE(Eventually([&] { return sender.done == 10'000; }));
    EXPECT_EQ(sender.failed, 0u);
    const auto delivers = manager.delivers();
    ASSERT_EQ(delivers.size(), 10'000u);
    for (size_t i = 0; i < delivers.size(); ++i) {
      ASSERT_EQ(delivers[i].number(), i + 1);
      ASSERT_EQ(delivers[i].body(), std::to_string(i));
    }
  }
  EXPECT_EQ(server_->stats().handed_over, 10'000u);
}

TEST_F(LinkServerTest, LetsNobodyOvertakeByANewStream) {
  Sender sender{server_.get(), 0, To("connmgr-1", 41, 3), {}, {}};
  Attach("connmgr-1", 41, 0).TakeAll();
  // Each new stream lands on the other loop; deliveries go on all the while, 16 a turn.
  std::atomic<bool> stop{false};
  std::function<void()> issue = [&] {
    if (stop) return;
    for (int i = 0; i < 16 && sender.issued.size() < 200'000; ++i) sender.Issue();
    loops_.at(0).Post([&] { issue(); });
  };
  loops_.at(0).Post([&] { issue(); });
  for (int i = 0; i < 40; ++i) Attach("connmgr-1", 41, 0).TakeAll();
  stop = true;
  // Past a turn that had not seen it, and past the one that such a turn has posted.
  for (int i = 0; i < 2; ++i) loops_.RunOn(0, [] {});
  ASSERT_TRUE(Eventually([&] { return sender.done == sender.issued.size(); }));
  EXPECT_GT(sender.failed, 0u);
  EXPECT_LT(sender.failed, sender.done);
  EXPECT_THAT(sender.overtaken, testing::IsEmpty());
  // Also not what was taken later: by stream, what arrived rises.
  uint64_t arrived = 0;
  int64_t last = -1;
  for (const auto& manager : managers_) {
    for (const auto& deliver : manager->delivers()) {
      EXPECT_GT(std::stoll(deliver.body()), last);
      last = std::stoll(deliver.body());
      ++arrived;
    }
  }
  EXPECT_GE(arrived, sender.done - sender.failed);
}

TEST_F(LinkServerTest, RefusesWhatALinkCannotQueueAndGoesOnLater) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);  // on loop 0
  FakeManager& other = Attach("connmgr-2", 42, 0);    // on loop 1
  manager.TakeAll();
  // The manager's loop stands still: gRPC's windows fill, then our queue.
  std::atomic<bool> blocked{true};
  constexpr size_t kBody = 60'000;
  Sender local{server_.get(), 0, To("connmgr-1", 41, 3), std::string(kBody, ' '), {}};
  Sender remote{server_.get(), 1, To("connmgr-1", 41, 4), std::string(kBody, ' '), {}};
  // Wherever this test ends, an assertion that fails included: TearDown waits for the manager's
  // loop, and deliveries must not end at senders that are gone.
  struct AtTheEnd {
    std::function<void()> act;
    ~AtTheEnd() { act(); }
  } at_the_end{[&] {
    blocked = false;
    EXPECT_TRUE(Eventually(
        [&] { return local.done == local.issued.size() && remote.done == remote.issued.size(); }));
  }};
  peers_.at(0).Post([&] {
    while (blocked) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  for (int i = 0; i < 1'000; ++i) {
    loops_.RunOn(0, [&] { local.Issue(); });
    loops_.RunOn(1, [&] { remote.Issue(); });
  }
  ASSERT_TRUE(Eventually([&] { return server_->stats().refused_full > 0 && remote.failed > 0; }));
  EXPECT_GT(local.failed, 0u);
  // At most the bound, one item more, and what gRPC took.
  const uint64_t accepted = 2'000 - local.failed - remote.failed;
  EXPECT_LT(accepted, ((64u << 20) + (8u << 20)) / kBody);
  EXPECT_GT(accepted, ((64u << 20) - (1u << 20)) / kBody);
  blocked = false;
  ASSERT_TRUE(Eventually([&] { return local.done == 1'000 && remote.done == 1'000; }));
  EXPECT_THAT(local.overtaken, testing::IsEmpty());
  EXPECT_THAT(remote.overtaken, testing::IsEmpty());
  EXPECT_EQ(manager.delivers().size(), 2'000 - local.failed - remote.failed);
  for (int loop = 0; loop < kLoops; ++loop) {
    EXPECT_THAT(Deliver(loop, "<iq/>", {To("connmgr-1", 41, 3)}), ElementsAre(Outcome::kTaken));
  }
  other.TakeAll();
  EXPECT_THAT(Deliver(0, "<iq/>", {To("connmgr-2", 42, 3)}), ElementsAre(Outcome::kTaken));
}

TEST_F(LinkServerTest, SplitsADeliveryThatNoFrameWouldHold) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  manager.TakeAll([](const xylem::v1::Target& target) {
    return target.connection() == 29'999 ? xylem::v1::Taken::Refused::NOT_HERE
                                         : xylem::v1::Taken::Refused::REASON_UNSPECIFIED;
  });
  std::vector<DeliverTarget> targets;
  for (uint64_t i = 0; i < 30'000; ++i) targets.push_back(To("connmgr-1", 41, i));
  for (int loop = 0; loop < kLoops; ++loop) {
    const auto outcomes = Deliver(loop, "<presence/>", targets);
    ASSERT_EQ(outcomes.size(), 30'000u);
    EXPECT_EQ(outcomes[29'998], Outcome::kTaken);
    EXPECT_EQ(outcomes[29'999], Outcome::kNotHere);
    EXPECT_EQ(outcomes[0], Outcome::kTaken);
  }
  for (const auto& deliver : manager.delivers()) EXPECT_LT(deliver.ByteSizeLong(), 2u << 20);
}

}  // namespace
}  // namespace business
