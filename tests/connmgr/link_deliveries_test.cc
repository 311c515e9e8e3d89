// What business servers deliver over a link, and how the manager answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "connmgr/business_links.h"
#include "lib/runtime/rpc_batch.h"
#include "tests/connmgr/links_fixture.h"

namespace connmgr {
namespace {

using xylem::v1::Deliver;
using xylem::v1::Down;
using xylem::v1::Taken;
using xylem::v1::Up;

class LinkDeliveriesTest : public LinksTest {
 protected:
  void SetUp() override {
    StartLinks({business.address()});
    ASSERT_TRUE(Live(1));
  }

  // The next Deliver of the stream, still without targets.
  Down NextDeliver(const std::string& body) {
    Down item;
    item.mutable_deliver()->set_number(++number);
    item.mutable_deliver()->set_body(body);
    item.mutable_deliver()->set_splice_offset(4);
    return item;
  }
  static void AddTarget(Down* item, uint64_t connection, uint64_t epoch,
                        const std::string& to = "a@b/c", const std::string& effect = {}) {
    xylem::v1::Target* target = item->mutable_deliver()->add_targets();
    target->set_connection(connection);
    target->set_epoch(epoch);
    target->set_to(to);
    target->set_effect(effect);
  }
  void DeliverTo(TestStream* stream, const std::string& body, const std::string& effect = {}) {
    Down item = NextDeliver(body);
    AddTarget(&item, stream->number, FakeBusiness::EpochOf(stream->number), "a@b/c", effect);
    business.Send(item);
  }
  testing::AssertionResult TakenUpTo(uint64_t up_to) {
    auto taken_so_far = Eventually([&] {
      const auto taken = business.Said(Up::kTaken);
      return !taken.empty() && taken.back().taken().up_to() == up_to;
    });
    On([] {});  // what the loop wrote is ours to read now
    return taken_so_far;
  }
  std::vector<Taken::Refused> Refused() {
    std::vector<Taken::Refused> all;
    for (const Up& item : business.Said(Up::kTaken)) {
      for (const auto& refused : item.taken().refused()) all.push_back(refused);
    }
    return all;
  }

  explicit LinkDeliveriesTest(FakeBusiness::Options options = {}) : business(options) {}

  FakeBusiness business;
  uint64_t number = 0;
};

TEST_F(LinkDeliveriesTest, AStanzaIsWrittenToItsSessionAndTaken) {
  TestStream* stream = NewSession("juliet@localhost");
  DeliverTo(stream, "<iq/>");
  DeliverTo(stream, "<iq>2</iq>");
  ASSERT_TRUE(TakenUpTo(2));
  ASSERT_EQ(stream->written.size(), 2u);
  EXPECT_EQ(stream->written[0].body, "<iq/>");
  EXPECT_EQ(stream->written[0].to, "a@b/c");
  EXPECT_EQ(stream->written[0].splice_offset, 4u);
  EXPECT_EQ(stream->written[1].body, "<iq>2</iq>");
  EXPECT_TRUE(Refused().empty());
}

TEST_F(LinkDeliveriesTest, ManyDeliveriesAreAnsweredTogether) {
  TestStream* stream = NewSession("juliet@localhost");
  constexpr uint64_t kMany = 2000;
  xylem::v1::BusinessFrame frame;
  for (uint64_t i = 0; i < kMany; ++i) {
    Down item = NextDeliver("<iq/>");
    AddTarget(&item, stream->number, FakeBusiness::EpochOf(stream->number));
    *frame.add_down() = item;
  }
  business.SendRaw(frame.SerializeAsString());
  ASSERT_TRUE(TakenUpTo(kMany));
  EXPECT_EQ(stream->written.size(), kMany);
  EXPECT_LT(business.Count(Up::kTaken), 10u);
}

TEST_F(LinkDeliveriesTest, EachTargetIsJudgedByItself) {
  TestStream* good = NewSession("juliet@localhost");
  TestStream* slow = NewSession("romeo@localhost");
  TestStream* behind = NewSession("nurse@localhost");
  TestStream* gone = NewSession("mercutio@localhost");
  On([&] {
    slow->outcome = TakenOutcome::kOverflowed;
    behind->outcome = TakenOutcome::kBehind;
    links->Forget(gone->number, "socket", false);
  });
  Down item = NextDeliver("<message/>");
  const auto epoch = [](TestStream* stream) { return FakeBusiness::EpochOf(stream->number); };
  AddTarget(&item, slow->number, epoch(slow));
  AddTarget(&item, good->number, epoch(good), "juliet@localhost/1");
  AddTarget(&item, good->number, epoch(good) - 1);
  AddTarget(&item, 12345, 1);
  AddTarget(&item, behind->number, epoch(behind));
  AddTarget(&item, gone->number, epoch(gone));
  business.Send(item);
  ASSERT_TRUE(TakenUpTo(1));
  ASSERT_EQ(good->written.size(), 1u);
  EXPECT_EQ(good->written[0].to, "juliet@localhost/1");
  const auto refused = Refused();
  const std::vector<std::pair<uint32_t, Taken::Refused::Reason>> expected = {
      {0, Taken::Refused::OVERFLOWED},
      {2, Taken::Refused::NOT_HERE},
      {3, Taken::Refused::NOT_HERE},
      {4, Taken::Refused::BEHIND},
      {5, Taken::Refused::NOT_HERE}};
  ASSERT_EQ(refused.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(refused[i].number(), 1u);
    EXPECT_EQ(refused[i].target(), expected[i].first);
    EXPECT_EQ(refused[i].reason(), expected[i].second);
  }
  EXPECT_EQ(stats().not_here, 3u);
}

TEST_F(LinkDeliveriesTest, AnEffectIsWrittenOnce) {
  TestStream* stream = NewSession("juliet@localhost");
  TestStream* other = NewSession("romeo@localhost");
  const std::string effect(18, 'e');
  DeliverTo(stream, "<iq/>", effect);
  DeliverTo(stream, "<iq/>", effect);
  DeliverTo(other, "<iq/>", effect);
  DeliverTo(stream, "<iq/>", std::string(18, 'f'));
  ASSERT_TRUE(TakenUpTo(4));
  EXPECT_EQ(stream->written.size(), 2u);
  EXPECT_EQ(other->written.size(), 1u);
  EXPECT_TRUE(Refused().empty());
  EXPECT_EQ(stats().duplicates_dropped, 1u);
}

TEST_F(LinkDeliveriesTest, AnEffectThatWasRefusedMayComeAgain) {
  TestStream* stream = NewSession("juliet@localhost");
  On([&] { stream->outcome = TakenOutcome::kBehind; });
  const std::string effect(18, 'e');
  DeliverTo(stream, "<iq/>", effect);
  ASSERT_TRUE(TakenUpTo(1));
  On([&] { stream->outcome = TakenOutcome::kTaken; });
  DeliverTo(stream, "<iq/>", effect);
  ASSERT_TRUE(TakenUpTo(2));
  EXPECT_EQ(stream->written.size(), 1u);
}

// R11: a session's number under a newer generation comes with its ticket.
TEST_F(LinkDeliveriesTest, BothEpochsReachASessionThatWasRenumbered) {
  TestStream* stream = NewSession("juliet@localhost");
  const uint64_t before = FakeBusiness::EpochOf(stream->number);
  const uint64_t after = before + (uint64_t{1} << 40);
  Down ticket;
  ticket.mutable_ticket()->set_connection(stream->number);
  ticket.mutable_ticket()->set_epoch(after);
  ticket.mutable_ticket()->set_ticket("newer");
  business.Send(ticket);
  for (uint64_t epoch : {before, after, after + 1}) {
    Down item = NextDeliver("<iq/>");
    AddTarget(&item, stream->number, epoch);
    business.Send(item);
  }
  ASSERT_TRUE(TakenUpTo(3));
  EXPECT_EQ(stream->written.size(), 2u);
  ASSERT_EQ(Refused().size(), 1u);
  EXPECT_EQ(Refused()[0].number(), 3u);
  // From now on it speaks with the new one.
  Submit(stream, "1");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 1; }));
  EXPECT_EQ(business.Said(Up::kSubmit)[0].submit().epoch(), after);
}

TEST_F(LinkDeliveriesTest, ANumberThatWasSkippedBreaksTheLink) {
  NewSession("juliet@localhost");
  number = 5;
  business.Send(NextDeliver("<iq/>"));
  ASSERT_TRUE(Eventually([&] { return business.hellos().size() == 2; }));
  EXPECT_EQ(business.Count(Up::kTaken), 0u);
}

// R7: a delivery does not wait until somebody takes what this manager submits.
TEST_F(LinkDeliveriesTest, DeliveriesComeWhileTheWindowIsFull) {
  business.Change([](FakeBusiness::Options& options) { options.accept = false; });
  TestStream* stream = NewSession("juliet@localhost");
  for (int i = 0; i < 64; ++i) Submit(stream, "x");
  DeliverTo(stream, "<iq/>");
  ASSERT_TRUE(TakenUpTo(1));
  EXPECT_EQ(stream->written.size(), 1u);
  EXPECT_EQ(Unaccepted(stream), 64u);
}

// With a server that understands answers that come late. Nothing but time tells one that waits for
// company from one that does not: it never waits less than kLate.
class LateAnswersTest : public LinkDeliveriesTest {
 protected:
  using Clock = std::chrono::steady_clock;

  LateAnswersTest() : LinkDeliveriesTest({.late_answers = true}) {}
  void SetUp() override {
    LinkDeliveriesTest::SetUp();
    stream = NewSession("juliet@localhost");
  }
  // From `say` until Taken for everything delivered has come: the shortest of many times.
  template <typename Say>
  std::chrono::microseconds Fastest(Say say) {
    auto fastest = Clock::duration::max();
    for (int i = 0; i < 20; ++i) {
      const auto begin = Clock::now();
      say();
      const size_t items = number;
      while (business.Count(Up::kTaken) == 0 ||
             business.Said(Up::kTaken).back().taken().up_to() != items) {
        EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
        std::this_thread::yield();
      }
      fastest = std::min(fastest, Clock::now() - begin);
    }
    return std::chrono::duration_cast<std::chrono::microseconds>(fastest);
  }
  // Loop time has steps of 1 ms.
  static constexpr std::chrono::microseconds kWait =
      runtime::RpcBatch::kLate - std::chrono::milliseconds(1);

  TestStream* stream = nullptr;
};

TEST_F(LateAnswersTest, TakenWaitsForCompany) {
  EXPECT_EQ(business.hellos()[0].features(0), "late-answers");
  EXPECT_GE(Fastest([this] { DeliverTo(stream, "<iq/>"); }), kWait);
}

TEST_F(LateAnswersTest, TakenGoesWithTheNextSubmit) {
  EXPECT_LT(Fastest([this] {
              DeliverTo(stream, "<iq/>");
              EXPECT_TRUE(EventuallyOn([&] { return stream->written.size() == number; }));
              Submit(stream, "x");
            }),
            kWait);
}

TEST_F(LateAnswersTest, TakenDoesNotWaitWhenItIsAskedFor) {
  EXPECT_LT(Fastest([this] {
              DeliverTo(stream, "<iq/>");
              Down item;
              item.mutable_control()->mutable_answer_now();
              business.Send(item);
            }),
            kWait);
}

TEST_F(LateAnswersTest, ARefusalDoesNotWait) {
  EXPECT_LT(Fastest([this] {
              Down item = NextDeliver("<iq/>");
              AddTarget(&item, 4711, 1);
              business.Send(item);
            }),
            kWait);
  EXPECT_FALSE(Refused().empty());
}

TEST_F(LateAnswersTest, TakenForManyDoesNotWait) {
  EXPECT_LT(Fastest([this] {
              for (int i = 0; i < 16; ++i) DeliverTo(stream, "<iq/>");
            }),
            kWait);
}

TEST_F(LateAnswersTest, TakenDoesNotOutstayTheSession) {
  std::vector<TestStream*> sessions;
  for (int i = 0; i < 20; ++i) sessions.push_back(NewSession("r" + std::to_string(i) + "@b"));
  EXPECT_LT(Fastest([&] {
              TestStream* ends = sessions.back();
              sessions.pop_back();
              DeliverTo(ends, "<iq/>");
              EXPECT_TRUE(EventuallyOn([&] { return !ends->written.empty(); }));
              On([&] { links->Forget(ends->number, "closed", false); });
            }),
            kWait);
}

TEST_F(LateAnswersTest, ASessionWhoseWindowIsHalfFullSaysSo) {
  business.Change([](FakeBusiness::Options& options) { options.accept = false; });
  for (int i = 0; i < 64; ++i) Submit(stream, "x");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 64; }));
  for (const Up& item : business.Said(Up::kSubmit)) {
    EXPECT_EQ(item.submit().accept_soon(), item.submit().in_seq() >= 32) << item.submit().in_seq();
  }
}

}  // namespace
}  // namespace connmgr
