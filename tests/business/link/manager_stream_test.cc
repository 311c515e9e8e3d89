// One stream over a wire that the test holds: what no real peer can be made to do in time.
#include "business/link/manager_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/connmgr_business.pb.h"
#include "tests/business/link/link_fixture.h"

namespace business {
namespace {

using testing::ElementsAre;
using Outcome = DeliverOutcome;

// Keeps what is sent until the test lets it through.
class HeldWire final : public runtime::RpcStream {
 public:
  void Start(Events events) override { events_ = std::move(events); }
  bool writable() const override { return !in_flight_; }
  void Send(std::string frame) override {
    in_flight_ = true;
    ++sent;
    last.ParseFromString(frame);
  }
  void Close() override { closed = true; }
  const std::string& peer() const override { return peer_; }
  const std::string& peer_identity() const override { return peer_; }

  void Receive(const std::string& frame) { events_.on_frame(frame); }
  // The frame in flight has left.
  bool LetThrough() {
    if (!std::exchange(in_flight_, false)) return false;
    events_.on_writable();
    return true;
  }
  int sent = 0;
  xylem::v1::BusinessFrame last;  // sent
  bool closed = false;

 private:
  Events events_;
  bool in_flight_ = false;
  const std::string peer_ = "test";
};

class ManagerStreamTest : public testing::Test, public ManagerStream::Home {
 protected:
  void SetUp() override {
    OnLoop([this] {
      auto wire = std::make_unique<HeldWire>();
      wire_ = wire.get();
      stream_ = std::make_shared<ManagerStream>(this, 1, 2, std::move(wire));
      stream_->Start();
      xylem::v1::ManagerFrame frame;
      frame.mutable_hello()->set_protocol_min(1);
      frame.mutable_hello()->set_protocol_max(1);
      frame.mutable_hello()->set_instance("connmgr-1");
      for (const std::string& feature : features_) frame.mutable_hello()->add_features(feature);
      wire_->Receive(frame.SerializeAsString());
    });
    OnLoop([this] { wire_->LetThrough(); });  // our Hello
  }
  void TearDown() override {
    OnLoop([this] { stream_->Cut("the test is over"); });
    OnLoop([this] { stream_ = nullptr; });
    EXPECT_TRUE(over_);
  }
  template <typename Work>
  void OnLoop(Work work) {
    loops_.RunOn(0, [&] { work(); });
  }
  void Deliver(uint32_t delivery, int issuer, uint64_t version, size_t bytes) {
    stream_->Deliver({.issuer = issuer, .delivery = delivery, .version = version},
                     {.bytes = std::string(bytes, 'x')}, {DeliverTarget{}});
  }
  // Everything queued leaves, a turn a frame.
  void LetAllThrough() {
    bool more = true;
    while (more) OnLoop([&] { more = wire_->LetThrough(); });
  }

  // ManagerStream::Home
  runtime::EventLoop& loop() override { return loops_.at(0); }
  ManagerEvents& events() override { return recorder_; }
  LinkLoopCounters& counters() override { return counters_; }
  xylem::v1::Hello OurHello() override { return {}; }
  void OnHello(const std::shared_ptr<ManagerStream>& stream) override { stream->Established(); }
  void OnUp(const std::shared_ptr<ManagerStream>&) override {}
  void OnDown(const std::shared_ptr<ManagerStream>&) override {}
  void OnReleased(const ManagerStream&) override {}
  void OnOver(const std::shared_ptr<ManagerStream>&) override { over_ = true; }
  void OnAnswered(PartResult result) override {
    answered_.push_back({result.ref.delivery, result.outcome});
  }

  std::vector<std::string> features_;  // the manager's
  runtime::LoopGroup loops_{"stream", 1};
  EventLog log_;
  EventRecorder recorder_{0, &log_};
  LinkLoopCounters counters_;
  HeldWire* wire_ = nullptr;
  std::shared_ptr<ManagerStream> stream_;
  std::vector<std::pair<uint32_t, Outcome>> answered_;
  bool over_ = false;
};

TEST_F(ManagerStreamTest, RefusesWhoMissedARefusalThoughThereIsRoomAgain) {
  OnLoop([this] { Deliver(1, 0, 0, ManagerStream::kMaxQueuedBytes); });
  OnLoop([this] {
    Deliver(2, 0, 0, 10);
    Deliver(3, 0, 0, 10);
  });
  // The first frame is on the wire: the queue has room.
  EXPECT_THAT(answered_, testing::IsEmpty());
  OnLoop([this] {
    Deliver(4, 0, 0, ManagerStream::kMaxQueuedBytes);
    Deliver(5, 0, 0, 10);  // full
  });
  EXPECT_THAT(answered_, ElementsAre(std::pair(5u, Outcome::kNoLink)));
  LetAllThrough();
  OnLoop([this] {
    Deliver(6, 0, 0, 10);  // issued by who has not heard of 5
    Deliver(7, 1, 0, 10);  // another loop: nothing of its own was refused
    Deliver(8, 0, 1, 10);  // has heard of it
  });
  EXPECT_THAT(answered_,
              ElementsAre(std::pair(5u, Outcome::kNoLink), std::pair(6u, Outcome::kNoLink)));
  EXPECT_EQ(counters_.refused_full.value(), 1u);
}

TEST_F(ManagerStreamTest, CountsDeliveriesWithoutAnAnswerInItsBound) {
  OnLoop([this] {
    for (uint32_t i = 0; i < ManagerStream::kMaxQueuedItems; ++i) Deliver(i, 0, 0, 1);
  });
  LetAllThrough();
  EXPECT_THAT(answered_, testing::IsEmpty());
  OnLoop([this] { Deliver(7, 0, 0, 1); });
  EXPECT_THAT(answered_, ElementsAre(std::pair(7u, Outcome::kNoLink)));
}

TEST_F(ManagerStreamTest, DoesNotKnowWhatNobodyAnsweredInTime) {
  uint64_t now = 0;
  OnLoop([&] {
    now = loop().NowMs();
    Deliver(1, 0, 0, 10);
    stream_->Tick(now + ManagerStream::kDeliverDeadlineMs - 1);
  });
  EXPECT_THAT(answered_, testing::IsEmpty());
  OnLoop([&] { stream_->Tick(now + ManagerStream::kDeliverDeadlineMs); });
  EXPECT_THAT(answered_, ElementsAre(std::pair(1u, Outcome::kUnknown)));
  EXPECT_TRUE(stream_->alive());  // whether the link lives, keepalive says
}

TEST_F(ManagerStreamTest, EndsWhenWhatWasQueuedHasLeft) {
  OnLoop([this] {
    stream_->SendEnded(1, 1);
    stream_->Close("the test wants it");
    EXPECT_FALSE(stream_->alive());
    EXPECT_FALSE(wire_->closed);
    stream_->SendEnded(2, 2);  // too late
  });
  EXPECT_FALSE(wire_->closed);
  OnLoop([this] { wire_->LetThrough(); });
  EXPECT_TRUE(wire_->closed);
  EXPECT_EQ(wire_->sent, 2);  // Hello, and one
}

TEST_F(ManagerStreamTest, CutsWhoDoesNotSayHello) {
  OnLoop([this] {
    auto wire = std::make_unique<HeldWire>();
    auto silent = std::make_shared<ManagerStream>(this, 2, 2, std::move(wire));
    silent->Start();
    silent->Tick(loop().NowMs() + ManagerStream::kHelloDeadlineMs - 1);
    EXPECT_EQ(silent->state(), ManagerStream::State::kHello);
    silent->Tick(loop().NowMs() + ManagerStream::kHelloDeadlineMs);
    EXPECT_EQ(silent->state(), ManagerStream::State::kDown);
  });
  OnLoop([] {});
  EXPECT_TRUE(std::exchange(over_, false));
}

// A manager that understands answers that come late.
class LateAnswersTest : public ManagerStreamTest {
 protected:
  LateAnswersTest() { features_ = {ManagerStream::kLateAnswers}; }

  // Frames sent by the end of the turn in which `work` runs.
  template <typename Work>
  int SentInOneTurn(Work work) {
    int before = 0;
    OnLoop([&] {
      before = wire_->sent;
      loop().ScheduleTurnEnd(&last_in_turn_);  // the last scheduled is the first to run
      work();
    });
    OnLoop([] {});
    return last_in_turn_.sent - before;
  }
  void LetThrough() {
    OnLoop([this] { ASSERT_TRUE(wire_->LetThrough()); });
  }

  struct LastInTurn final : runtime::TurnEnd {
    explicit LastInTurn(LateAnswersTest* t)
        : TurnEnd([](runtime::TurnEnd* end) {
            auto* self = static_cast<LastInTurn*>(end);
            self->sent = self->test->wire_->sent;
          }),
          test(t) {}
    LateAnswersTest* const test;
    int sent = 0;
  } last_in_turn_{this};
};

TEST_F(LateAnswersTest, AcceptedWaitsButNotForLong) {
  EXPECT_EQ(SentInOneTurn([this] { stream_->SendAccepted(1, 5, 7); }), 0);
  ASSERT_TRUE(Eventually([this] {
    int sent = 0;
    OnLoop([&] { sent = wire_->sent; });
    return sent == 2;  // Hello, and it
  }));
  OnLoop([this] { EXPECT_EQ(wire_->last.down(0).accepted().up_to(), 7u); });
}

TEST_F(LateAnswersTest, AcceptedGoesWithWhatGoesAnyway) {
  EXPECT_EQ(SentInOneTurn([this] {
              stream_->SendAccepted(1, 5, 7);
              stream_->SendAccepted(2, 5, 3);
              stream_->SendAccepted(1, 5, 9);
              Deliver(1, 0, 0, 10);
            }),
            1);
  OnLoop([this] {
    ASSERT_EQ(wire_->last.down_size(), 3);
    EXPECT_TRUE(wire_->last.down(0).has_deliver());
    EXPECT_EQ(wire_->last.down(1).accepted().connection(), 1u);
    EXPECT_EQ(wire_->last.down(1).accepted().up_to(), 9u) << "the newest, once";
    EXPECT_EQ(wire_->last.down(2).accepted().up_to(), 3u);
  });
}

TEST_F(LateAnswersTest, AcceptedDoesNotWaitWhereSomebodyWaitsForIt) {
  EXPECT_EQ(SentInOneTurn([this] {
              stream_->SendAccepted(1, 5, 7);
              stream_->AcceptNow();
            }),
            1);
  LetThrough();
  EXPECT_EQ(SentInOneTurn([this] { stream_->AcceptNow(); }), 0) << "nothing is owed";
}

TEST_F(LateAnswersTest, AcceptedForManySessionsDoesNotWait) {
  EXPECT_EQ(SentInOneTurn([this] {
              for (uint64_t i = 1; i < ManagerStream::kMaxOwed; ++i) stream_->SendAccepted(i, 5, 7);
            }),
            0);
  EXPECT_EQ(SentInOneTurn([this] { stream_->SendAccepted(99, 5, 7); }), 1);
}

TEST_F(LateAnswersTest, AcceptedWaitsForTheWriteInFlight) {
  OnLoop([this] { Deliver(1, 0, 0, 10); });
  EXPECT_EQ(SentInOneTurn([this] {
              stream_->SendAccepted(1, 5, 7);
              stream_->AcceptNow();
            }),
            0);
  LetThrough();
  OnLoop([this] { EXPECT_EQ(wire_->last.down(0).accepted().up_to(), 7u); });
}

TEST_F(LateAnswersTest, AcceptedLeavesBeforeTheStreamEnds) {
  OnLoop([this] {
    stream_->SendAccepted(1, 5, 7);
    stream_->Close("the test wants it");
    EXPECT_FALSE(wire_->closed);
  });
  LetThrough();
  EXPECT_EQ(wire_->last.down(0).accepted().up_to(), 7u);
  EXPECT_TRUE(wire_->closed);
}

TEST_F(LateAnswersTest, TakenIsAskedForOnce) {
  EXPECT_EQ(SentInOneTurn([this] { stream_->AskTaken(); }), 0) << "nothing was delivered";
  EXPECT_EQ(SentInOneTurn([this] {
              Deliver(1, 0, 0, 10);
              stream_->AskTaken();
              stream_->AskTaken();
            }),
            1);
  OnLoop([this] {
    ASSERT_EQ(wire_->last.down_size(), 2);
    EXPECT_TRUE(wire_->last.down(0).has_deliver());
    EXPECT_TRUE(wire_->last.down(1).control().has_answer_now());
  });
  LetThrough();
  EXPECT_EQ(SentInOneTurn([this] { stream_->AskTaken(); }), 0);
}

TEST_F(LateAnswersTest, TakenIsNotAskedForIfItIsThere) {
  OnLoop([this] { Deliver(1, 0, 0, 10); });
  LetThrough();
  EXPECT_EQ(SentInOneTurn([this] {
              stream_->AskTaken();
              xylem::v1::ManagerFrame frame;
              frame.add_up()->mutable_taken()->set_up_to(1);
              wire_->Receive(frame.SerializeAsString());
            }),
            0);
}

TEST_F(ManagerStreamTest, AManagerOfAnEarlierVersionIsAnsweredAtOnceAndNotAsked) {
  OnLoop([this] {
    Deliver(1, 0, 0, 10);
    stream_->SendAccepted(1, 5, 7);
    stream_->AskTaken();
  });
  OnLoop([this] { ASSERT_EQ(wire_->last.down_size(), 2); });
  LetAllThrough();
  OnLoop([this] { stream_->SendAccepted(1, 5, 8); });
  OnLoop([this] { EXPECT_EQ(wire_->last.down(0).accepted().up_to(), 8u); });
}

}  // namespace
}  // namespace business
