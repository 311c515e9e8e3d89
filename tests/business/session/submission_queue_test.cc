#include "business/session/submission_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace business {
namespace {

using State = Submission::State;
using Place = SubmissionQueue::Place;

// Does nothing but write down what the queue asks of it: "P1" prepare, "S1" store, "I1" issue, "R1"
// retry, "A1" answer.
class Step final : public Submission {
 public:
  Step(uint64_t in_seq, std::string* log, bool barrier = false)
      : Submission(nullptr, in_seq), log_(log), barrier_(barrier) {}
  void Prepare() override { Note("P"); }
  void Store() override { Note("S"); }
  void Issue() override { Note("I"); }
  void Retry() override { Note("R"); }
  void Reply() override { Note("A"); }
  bool barrier() const override { return barrier_; }

  void Set(State state) { state_ = state; }
  void Goes(uint64_t recipient, uint64_t owners) {
    recipient_ = recipient;
    owners_ = owners;
  }
  std::function<void()> when_asked;

 private:
  void Note(const char* what) {
    *log_ += std::string(log_->empty() ? "" : " ") + what + std::to_string(in_seq());
    if (when_asked) when_asked();
  }
  std::string* const log_;
  const bool barrier_;
};

class SubmissionQueueTest : public testing::Test {
 protected:
  std::shared_ptr<Step> Push(bool barrier = false) {
    auto step = std::make_shared<Step>(queue_.next(), &log_, barrier);
    queue_.Push(step);
    return step;
  }
  // What one pump asked for.
  std::string Pump() {
    log_.clear();
    queue_.Pump();
    return log_;
  }

  SubmissionQueue queue_;
  std::string log_;
};

TEST_F(SubmissionQueueTest, TellsTheNextFromARepetitionAndAGap) {
  Push();
  EXPECT_EQ(queue_.PlaceOf(1), Place::kRepeated);
  EXPECT_EQ(queue_.PlaceOf(2), Place::kNext);
  EXPECT_EQ(queue_.PlaceOf(3), Place::kGap);
  queue_.StartBehind(40);
  EXPECT_EQ(queue_.PlaceOf(40), Place::kRepeated);
  EXPECT_EQ(queue_.PlaceOf(41), Place::kNext);
  EXPECT_EQ(queue_.accepted(), 40u);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SubmissionQueueTest, ReadsAheadAndIssuesInOrder) {
  auto first = Push(), second = Push();
  EXPECT_EQ(Pump(), "P1 P2");
  second->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "") << "the second must not overtake the first";
  first->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1 I2");
}

TEST_F(SubmissionQueueTest, BeginsCommitsInOrderAndOnlyWhenTheOwnerIsConfirmed) {
  auto first = Push(), second = Push(), third = Push();
  first->check = 1;
  Pump();
  second->Set(State::kStoreWanted);
  EXPECT_EQ(Pump(), "") << "the first has not come so far";
  first->Set(State::kStoreWanted);
  EXPECT_EQ(Pump(), "") << "whose session it is is not known yet";
  queue_.CheckPassed(1);
  EXPECT_EQ(Pump(), "S1 S2") << "the second's commit does not wait for the first's";
  third->Set(State::kPrepared);
  second->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "");
  first->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1 I2 I3");
}

TEST_F(SubmissionQueueTest, AcceptsTheContiguousPrefixOfWhatIsFinished) {
  auto first = Push(), second = Push(), third = Push();
  Pump();
  second->Set(State::kFinished);
  EXPECT_FALSE(queue_.Pump());
  EXPECT_EQ(queue_.accepted(), 0u);
  first->Set(State::kFinished);
  EXPECT_TRUE(queue_.Pump());
  EXPECT_EQ(queue_.accepted(), 2u);
  EXPECT_EQ(queue_.size(), 1u);
  third->Set(State::kFinished);
  EXPECT_TRUE(queue_.Pump());
  EXPECT_EQ(queue_.accepted(), 3u);
}

TEST_F(SubmissionQueueTest, PreparesABarrierAsSoonAsWhatItWaitsForIsIssued) {
  auto message = Push(), ping = Push(true);
  EXPECT_EQ(Pump(), "P1");
  message->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1 P2");
}

TEST_F(SubmissionQueueTest, SaysWhenAnAnswerWaitsForAnOutcome) {
  auto message = Push(), ping = Push();
  Pump();
  message->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1");
  EXPECT_FALSE(queue_.waits_for_outcome()) << "nothing stands behind it that could go on";
  EXPECT_TRUE(queue_.has_issued());
  ping->Set(State::kReplyWanted);
  EXPECT_EQ(Pump(), "");
  EXPECT_TRUE(queue_.waits_for_outcome());
  message->Set(State::kFinished);
  EXPECT_EQ(Pump(), "A2");
  EXPECT_FALSE(queue_.waits_for_outcome());
}

TEST_F(SubmissionQueueTest, SaysWhenOneWaitsForTheOutcomeOnAnotherWay) {
  auto first = Push(), second = Push(), third = Push();
  Pump();
  first->Goes(7, 1);
  second->Goes(7, 2);
  third->Goes(8, 3);
  second->Set(State::kPrepared);
  third->Set(State::kPrepared);
  Pump();
  EXPECT_FALSE(queue_.waits_for_outcome()) << "they wait for a read";
  first->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1");
  EXPECT_TRUE(queue_.waits_for_outcome());
}

TEST_F(SubmissionQueueTest, SaysWhenARetryWaitsForAnOutcome) {
  auto first = Push(), second = Push();
  Pump();
  for (auto& step : {first, second}) step->Goes(7, 1), step->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1 I2");
  second->Set(State::kRetryWanted);
  EXPECT_EQ(Pump(), "");
  EXPECT_TRUE(queue_.waits_for_outcome());
}

TEST_F(SubmissionQueueTest, IssuesNothingBeforeItsOwnershipCheckPassed) {
  auto first = Push(), second = Push();
  first->check = 1;
  second->check = 2;
  Pump();
  first->Set(State::kPrepared);
  second->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "");
  queue_.CheckPassed(1);
  EXPECT_EQ(Pump(), "I1");
  queue_.CheckPassed(2);
  EXPECT_EQ(Pump(), "I2");
}

TEST_F(SubmissionQueueTest, PreparesABarrierOnceEverythingBeforeItIsIssued) {
  auto first = Push(), barrier = Push(true), third = Push();
  barrier->check = 1;
  EXPECT_EQ(Pump(), "P1");
  first->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1");
  EXPECT_EQ(Pump(), "") << "its ownership is not confirmed yet";
  queue_.CheckPassed(1);
  EXPECT_EQ(Pump(), "P2");
  EXPECT_EQ(Pump(), "") << "what stands behind reads what the barrier changes";
  barrier->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I2 P3") << "at once: nobody may pump again before an outcome is known";
}

TEST_F(SubmissionQueueTest, FollowsAPredecessorToTheSameOwnersAtOnce) {
  auto first = Push(), second = Push();
  first->Goes(7, 100);
  second->Goes(7, 100);
  Pump();
  first->Set(State::kPrepared);
  second->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1 I2");
}

TEST_F(SubmissionQueueTest, WaitsForAPredecessorThatGoesToTheSameAccountElsewhere) {
  auto first = Push(), second = Push(), other = Push();
  first->Goes(7, 100);
  second->Goes(7, 200);
  other->Goes(8, 200);
  Pump();
  first->Set(State::kPrepared);
  second->Set(State::kPrepared);
  other->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1");
  first->Set(State::kFinished);
  EXPECT_EQ(Pump(), "I2 I3");
}

TEST_F(SubmissionQueueTest, RetriesOneAfterTheOtherToTheSameAccount) {
  auto first = Push(), second = Push(), other = Push();
  first->Goes(7, 100);
  second->Goes(7, 100);
  other->Goes(8, 100);
  Pump();
  for (auto& step : {first, second, other}) step->Set(State::kPrepared);
  EXPECT_EQ(Pump(), "I1 I2 I3");
  for (auto& step : {first, second, other}) step->Set(State::kRetryWanted);
  EXPECT_EQ(Pump(), "R1 R3");
  first->Set(State::kFinished);
  EXPECT_EQ(Pump(), "R2");
}

TEST_F(SubmissionQueueTest, AnswersTheSenderOnlyWhenAllPredecessorsAreFinished) {
  auto first = Push(), second = Push();
  second->check = 1;
  Pump();
  first->Set(State::kPrepared);
  second->Set(State::kReplyWanted);
  EXPECT_EQ(Pump(), "I1");
  first->Set(State::kFinished);
  EXPECT_EQ(Pump(), "") << "not before the check either";
  queue_.CheckPassed(1);
  EXPECT_EQ(Pump(), "A2");
  second->Set(State::kFinished);
  EXPECT_TRUE(queue_.Pump());
  EXPECT_EQ(queue_.accepted(), 2u);
}

TEST_F(SubmissionQueueTest, GoesOnWithWhatAStepFinishedInsideAStep) {
  auto first = Push(), second = Push();
  first->when_asked = [&] {
    first->Set(State::kFinished);
    EXPECT_FALSE(queue_.Pump()) << "a pump inside the pump leaves the work to the outer one";
  };
  second->when_asked = [&] { second->Set(State::kFinished); };
  EXPECT_TRUE(queue_.Pump());
  EXPECT_EQ(queue_.accepted(), 2u);
}

TEST_F(SubmissionQueueTest, StopsWhenAStepEndsTheSession) {
  auto first = Push(), second = Push();
  first->when_asked = [&] { queue_.Clear(); };
  EXPECT_EQ(Pump(), "P1");
  EXPECT_EQ(queue_.accepted(), 0u);

  queue_.StartBehind(0);
  first = Push();
  second = Push();
  Pump();
  first->Set(State::kPrepared);
  second->Set(State::kPrepared);
  first->when_asked = [&] { queue_.Clear(); };
  EXPECT_EQ(Pump(), "I1");
}

}  // namespace
}  // namespace business
