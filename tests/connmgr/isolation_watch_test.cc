#include "connmgr/isolation_watch.h"

#include <gmock/gmock.h>

#include <future>
#include <optional>

#include "connmgr/drain.h"
#include "lib/cluster/business_lease.h"
#include "lib/cluster/redis_keys.h"
#include "tests/connmgr/loop_fixture.h"
#include "tests/lib/runtime/redis_server.h"

namespace connmgr {
namespace {

using testing::HasSubstr;

class IsolationTest : public LoopFixture {
 protected:
  IsolationTest() {
    settings_.business_grace = std::chrono::milliseconds(100);
    settings_.linger = std::chrono::milliseconds(100);
  }
  ~IsolationTest() override {
    OnLoop([&] {
      watch_.reset();
      lease_.reset();
      redis_.reset();
      loop_.reset();
    });
    group_.StopAndJoin();
  }
  void StartAll() {
    Start();
    drain_ = std::make_unique<Drain>(std::vector<ConnmgrLoop*>{loop_.get()}, settings_, health_);
    OnLoop([&] {
      runtime::RedisOptions options;
      options.addresses = {server_.address()};
      redis_ = runtime::RedisClient::Create(&group_.at(0), options);
      watch_ = std::make_unique<IsolationWatch>(std::vector<ConnmgrLoop*>{loop_.get()}, settings_,
                                                *redis_, *drain_);
      watch_->Start();
    });
  }
  void StartLease(std::chrono::milliseconds time) {
    OnLoop([&] {
      lease_ = std::make_unique<cluster::BusinessLease>(&group_.at(0), redis_.get(), "business-1",
                                                        7, time);
      lease_->Start();
    });
  }
  uint64_t NowMs() {
    uint64_t now = 0;
    OnLoop([&] { now = loop_->loop().NowMs(); });
    return now;
  }
  // Asks Redis; nullopt = an error.
  std::optional<size_t> CountAlive() {
    auto answer = std::make_shared<std::promise<std::optional<size_t>>>();
    auto future = answer->get_future();
    OnLoop([&] {
      cluster::BusinessLease::CountAlive(redis_.get(), [answer](const runtime::Result<size_t>& n) {
        answer->set_value(n ? std::optional<size_t>(*n) : std::nullopt);
      });
    });
    return future.get();
  }

  runtime::RedisServer server_;
  runtime::Health health_{{}};
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<runtime::RedisClient> redis_;
  std::unique_ptr<cluster::BusinessLease> lease_;
  std::unique_ptr<IsolationWatch> watch_;
};

TEST_F(IsolationTest, ClosesClientsWhileOthersReachBusinessServers) {
  StartAll();
  StartLease(std::chrono::seconds(10));
  TestClient client(port());
  client.LogIn();
  OnLoop([&] { links_->live_links = 0; });
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  OnLoop([&] {
    EXPECT_TRUE(watch_->isolated());
    links_->live_links = 1;
  });
  EXPECT_TRUE(Becomes([&] { return !watch_->isolated() && !loop_->ending(); }));
  TestClient again(port());
  again.LogIn();
}

TEST_F(IsolationTest, HoldsClientsThatADrainingServerServes) {
  StartAll();
  StartLease(std::chrono::seconds(10));
  EXPECT_TRUE(runtime::Eventually([&] { return CountAlive() == 1u; }));
  TestClient client(port());
  client.LogIn();
  OnLoop([&] {
    links_->live_links = 0;
    links_->draining_links = 1;
  });
  // Longer than the grace, as the loop's own clock has it.
  const uint64_t begin = NowMs();
  EXPECT_TRUE(Becomes([&] { return loop_->loop().NowMs() >= begin + 500; }));
  OnLoop([&] {
    EXPECT_EQ(watch_->answers(), 0u);
    EXPECT_FALSE(watch_->isolated());
    EXPECT_EQ(loop_->stream(0).state(), C2sStream::State::kSession);
    links_->draining_links = 0;
  });
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
}

TEST_F(IsolationTest, HoldsClientsWhileNoBusinessServerLives) {
  StartAll();
  TestClient client(port());
  client.LogIn();
  server_.Do({"SADD", cluster::BusinessesKey(), "business-1"});  // it had a lease once
  OnLoop([&] { links_->live_links = 0; });
  EXPECT_TRUE(Becomes([&] { return watch_->answers() >= 1; }));
  // The dead name is forgotten on the way.
  EXPECT_TRUE(runtime::Eventually(
      [&] { return server_.Number({"SCARD", cluster::BusinessesKey()}) == 0; }));
  OnLoop([&] {
    EXPECT_FALSE(watch_->isolated());
    EXPECT_EQ(loop_->stream(0).state(), C2sStream::State::kSession);
  });
}

TEST_F(IsolationTest, HoldsClientsWhileRedisIsSilentToo) {
  StartAll();
  StartLease(std::chrono::seconds(10));
  EXPECT_TRUE(runtime::Eventually([&] { return CountAlive() == 1u; }));
  TestClient client(port());
  client.LogIn();
  server_.Kill();
  OnLoop([&] { links_->live_links = 0; });
  EXPECT_TRUE(Becomes([&] { return watch_->answers() >= 1; }));
  EXPECT_EQ(CountAlive(), std::nullopt);
  OnLoop([&] {
    EXPECT_FALSE(watch_->isolated());
    EXPECT_EQ(loop_->stream(0).state(), C2sStream::State::kSession);
  });
}

TEST_F(IsolationTest, LeaseIsHeldRenewedAndGivenBack) {
  StartAll();
  EXPECT_EQ(CountAlive(), 0u);
  StartLease(std::chrono::milliseconds(300));
  EXPECT_TRUE(runtime::Eventually([&] { return CountAlive() == 1u; }));
  const std::string key = cluster::BusinessLeaseKey("business-1");
  EXPECT_EQ(server_.Do({"GET", key}), "0000000000000007");
  EXPECT_LE(server_.Number({"PTTL", key}), 300);
  // An emptied Redis has it again by the next renewal.
  server_.Do({"FLUSHALL"});
  EXPECT_TRUE(runtime::Eventually([&] { return CountAlive() == 1u; }));
  std::promise<void> released;
  OnLoop([&] { lease_->Release([&] { released.set_value(); }); });
  released.get_future().wait();
  EXPECT_EQ(CountAlive(), 0u);
  EXPECT_EQ(server_.Do({"GET", key}), "");
}

}  // namespace
}  // namespace connmgr
