#include "connmgr/drain.h"

#include <gmock/gmock.h>

#include <atomic>

#include "tests/connmgr/loop_fixture.h"

namespace connmgr {
namespace {

using testing::HasSubstr;

class DrainTest : public LoopFixture {
 protected:
  DrainTest() {
    settings_.drain_notice = std::chrono::milliseconds(50);
    settings_.linger = std::chrono::milliseconds(100);
  }
  ~DrainTest() override {
    if (loop_ != nullptr) OnLoop([&] { loop_.reset(); });
    group_.StopAndJoin();
  }
  void StartAll() {
    Start();
    drain_ = std::make_unique<Drain>(std::vector<ConnmgrLoop*>{loop_.get()}, settings_, health_);
    OnLoop([&] { drain_->SetListeners(settings_.listeners); });
  }
  testing::AssertionResult Reaches(Drain::State state) {
    return Becomes([&] { return drain_->state() == state; });
  }
  void Terminate() {
    drain_->Terminate([this] { ++gone_; });
  }
  bool Refused(uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = SocketAddress::FromIp("127.0.0.1", port);
    const bool refused = connect(fd, address->get(), address->size()) != 0;
    close(fd);
    return refused;
  }

  runtime::Health health_{{}};
  std::unique_ptr<Drain> drain_;
  std::atomic<int> gone_{0};
};

TEST_F(DrainTest, EndsSessionsAndGoes) {
  StartAll();
  TestClient client(port());
  client.LogIn();
  EXPECT_TRUE(health_.ready());
  Terminate();
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  EXPECT_TRUE(Reaches(Drain::State::kGone));
  EXPECT_EQ(gone_, 1);
  EXPECT_FALSE(health_.ready());
  EXPECT_THAT(health_.ReadyJson(), HasSubstr("draining"));
  OnLoop([&] { EXPECT_EQ(links_->forgotten.size(), 1u); });
}

TEST_F(DrainTest, StillAcceptsUntilTheNoticeIsOver) {
  settings_.drain_notice = std::chrono::milliseconds(300);
  StartAll();
  drain_->Begin();
  EXPECT_TRUE(Reaches(Drain::State::kNotice));
  EXPECT_FALSE(health_.ready());
  TestClient late(port());
  late.LogIn();
  EXPECT_THAT(late.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  EXPECT_TRUE(Reaches(Drain::State::kDrained));
  EXPECT_TRUE(Refused(port()));
}

TEST_F(DrainTest, ByOrderStaysUntilItIsTerminated) {
  StartAll();
  drain_->Begin();
  EXPECT_TRUE(Reaches(Drain::State::kDrained));
  EXPECT_EQ(gone_, 0);
  OnLoop([&] { EXPECT_THAT(drain_->Json(), HasSubstr("{\"state\":\"drained\",\"connections\":0")); });
  Terminate();
  EXPECT_TRUE(Reaches(Drain::State::kGone));
  EXPECT_EQ(gone_, 1);
}

TEST_F(DrainTest, CanBeUndoneAtEachStep) {
  StartAll();
  drain_->Begin();
  EXPECT_TRUE(Reaches(Drain::State::kNotice));
  drain_->Undo();
  EXPECT_TRUE(Reaches(Drain::State::kServing));
  EXPECT_TRUE(health_.ready());
  TestClient client(port());
  client.LogIn();
  drain_->Begin();
  EXPECT_TRUE(Reaches(Drain::State::kDrained));
  drain_->Undo();
  EXPECT_TRUE(Becomes([&] { return drain_->state() == Drain::State::kServing && !Refused(port()); }));
  TestClient again(port());
  again.LogIn();
  EXPECT_TRUE(health_.ready());
}

TEST_F(DrainTest, WaitsForWindowsAndForTheEndsToBeConfirmed) {
  StartAll();
  OnLoop([&] { links_->ends = false; });
  TestClient client(port());
  client.LogIn();
  client.Send("<message/>");
  ASSERT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
  Terminate();
  ASSERT_TRUE(Becomes([&] {
    return loop_->streams() == 1 &&
           loop_->stream(0).state() == C2sStream::State::kSessionDraining;
  }));
  OnLoop([&] { links_->AcceptAll(); });
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  EXPECT_TRUE(Becomes([&] { return links_->closing() == 1 && loop_->streams() == 0; }));
  EXPECT_EQ(drain_->state(), Drain::State::kEnding);
  OnLoop([&] { links_->ConfirmEnds(); });
  EXPECT_TRUE(Reaches(Drain::State::kGone));
}

TEST_F(DrainTest, GoesAtItsDeadlineWhateverIsLeft) {
  settings_.drain_deadline = std::chrono::milliseconds(1000);
  StartAll();
  OnLoop([&] { links_->ends = false; });
  TestClient client(port());
  client.LogIn();
  client.Send("<message/>");
  ASSERT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  Terminate();
  Terminate();  // changes nothing
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  EXPECT_TRUE(Reaches(Drain::State::kGone));
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, std::chrono::milliseconds(900));
  EXPECT_LT(took, std::chrono::milliseconds(1500));
  EXPECT_EQ(gone_, 1);
}

TEST_F(DrainTest, HastensWhereThePaceWouldTakeTooLong) {
  settings_.drain_pace = 1;
  settings_.drain_deadline = std::chrono::seconds(2);
  StartAll();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<TestClient>(port()));
    clients.back()->LogIn();
  }
  Terminate();
  for (auto& client : clients) {
    EXPECT_THAT(client->ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  }
  EXPECT_TRUE(Reaches(Drain::State::kGone));
}

TEST_F(DrainTest, TakesThoseThatWaitedInTheKernelsQueue) {
  StartAll();
  std::vector<std::unique_ptr<TestClient>> clients;
  OnLoop([&] {  // the loop is busy: the kernel answers for it
    for (int i = 0; i < 10; ++i) clients.push_back(std::make_unique<TestClient>(port()));
    loop_->CloseListeners();
  });
  OnLoop([&] {
    EXPECT_EQ(loop_->streams(), 10u);
    loop_->EndStreams(1000, std::chrono::seconds(1));
  });
  for (auto& client : clients) {
    EXPECT_THAT(client->ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
    EXPECT_FALSE(client->reset());
  }
}

}  // namespace
}  // namespace connmgr
