#include "lib/cluster/generation.h"

#include <gtest/gtest.h>

#include <mutex>

#include "lib/cluster/redis_keys.h"
#include "tests/lib/runtime/redis_cluster_servers.h"
#include "tests/lib/runtime/redis_fixture.h"

namespace cluster {
namespace {

using runtime::Error;
using runtime::Eventually;
using runtime::RedisOnLoop;
using runtime::RedisServer;
using runtime::Result;
using runtime::Task;

// SQL's one row, in memory, with the ways in which SQL fails. Any thread.
class MemoryGenerationStore : public GenerationStore {
 public:
  Task<Result<State>> Read() override {
    std::lock_guard lock(mutex_);
    ++reads_;
    if (down_) co_return Error::Unavailable("down");
    co_return state_;
  }
  Task<Result<State>> Raise(uint64_t from, std::string fingerprint) override {
    std::lock_guard lock(mutex_);
    if (down_) co_return Error::Unavailable("down");
    if (state_.generation == from) {
      state_ = {.generation = from + 1, .fingerprint = std::move(fingerprint)};
      ++raised_;
    }
    if (std::exchange(lose_answer_, false)) co_return Error::Unknown("no answer to COMMIT");
    co_return state_;
  }

  void SetDown(bool down) {
    std::lock_guard lock(mutex_);
    down_ = down;
  }
  void LoseNextAnswer() {
    std::lock_guard lock(mutex_);
    lose_answer_ = true;
  }
  void Wipe() {
    std::lock_guard lock(mutex_);
    state_ = State();
  }
  int reads() const {
    std::lock_guard lock(mutex_);
    return reads_;
  }
  int raised() const {
    std::lock_guard lock(mutex_);
    return raised_;
  }

 private:
  mutable std::mutex mutex_;
  State state_;
  bool down_ = false, lose_answer_ = false;
  int reads_ = 0, raised_ = 0;
};

// A business server, as far as generations go.
class Keeper {
 public:
  Keeper(runtime::RedisOptions options, GenerationStore* store,
         std::chrono::milliseconds check_every = std::chrono::milliseconds(50))
      : redis_(std::move(options)) {
    redis_.Run([&] {
      keeper_ = std::make_unique<GenerationKeeper>(
          &redis_.loop(), redis_.client(), store,
          [this](uint64_t generation) { told_.push_back(generation); }, check_every);
      keeper_->Start();
    });
  }
  Keeper(const RedisServer& server, GenerationStore* store)
      : Keeper(RedisOnLoop::OptionsFor(server.address()), store) {}
  ~Keeper() {
    redis_.Run([&] { keeper_ = nullptr; });
  }

  RedisOnLoop& redis() { return redis_; }
  uint64_t generation() {
    return redis_.Get([&] { return keeper_->generation(); });
  }
  std::vector<uint64_t> told() {
    return redis_.Get([&] { return told_; });
  }
  testing::AssertionResult Reaches(uint64_t generation) {
    testing::AssertionResult reached = Eventually([&] { return this->generation() >= generation; });
    if (reached && this->generation() > generation) {
      return testing::AssertionFailure() << "beyond it: " << this->generation();
    }
    return reached;
  }

 private:
  RedisOnLoop redis_;
  std::vector<uint64_t> told_;
  std::unique_ptr<GenerationKeeper> keeper_;
};

std::string MarkerKey() { return GenerationKey("0"); }

// Two whole checks from now on: the second began after this was called.
void AwaitChecks(MemoryGenerationStore* store) {
  const int before = store->reads();
  ASSERT_TRUE(Eventually([&] { return store->reads() >= before + 2; }));
}

TEST(GenerationKeeper, TellsTheFirstNumberAndEachRaisedOneOnce) {
  RedisServer server;
  MemoryGenerationStore store;
  Keeper keeper(server, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  AwaitChecks(&store);
  server.Do({"FLUSHALL"});
  ASSERT_TRUE(keeper.Reaches(2));
  AwaitChecks(&store);
  EXPECT_EQ(keeper.told(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(store.raised(), 2);
}

TEST(GenerationKeeper, StaysWhenTheSameProcessIsReachedAgain) {
  RedisServer server;
  MemoryGenerationStore store;
  Keeper keeper(server, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  const uint64_t connections = keeper.redis().client()->stats().reconnects;
  server.Do({"CLIENT", "KILL", "TYPE", "normal"});
  ASSERT_TRUE(
      Eventually([&] { return keeper.redis().client()->stats().reconnects > connections; }));
  AwaitChecks(&store);
  EXPECT_EQ(keeper.generation(), 1u);
  {
    Keeper next(server, &store);  // another business server starts
    ASSERT_TRUE(next.Reaches(1));
    AwaitChecks(&store);
    EXPECT_EQ(next.told(), std::vector<uint64_t>{1});
  }
  EXPECT_EQ(store.raised(), 1);
}

TEST(GenerationKeeper, IsRaisedWithinASecondWhenRedisComesBackEmpty) {
  RedisServer server;
  MemoryGenerationStore store;
  Keeper keeper(RedisOnLoop::OptionsFor(server.address()), &store, std::chrono::milliseconds(1000));
  ASSERT_TRUE(keeper.Reaches(1));
  server.RestartEmpty();
  const auto back = std::chrono::steady_clock::now();
  ASSERT_TRUE(keeper.Reaches(2));
  EXPECT_LT(std::chrono::steady_clock::now() - back, std::chrono::seconds(1));
  AwaitChecks(&store);
  EXPECT_EQ(keeper.generation(), 2u);
}

TEST(GenerationKeeper, IsRaisedWhenAnOlderCopyWasRestored) {
  RedisServer server;
  MemoryGenerationStore store;
  Keeper keeper(server, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  ASSERT_EQ(server.Do({"SAVE"}), "OK");
  const std::string marker = server.Do({"GET", MarkerKey()});
  server.Do({"SET", "later", "1"});
  server.Kill();
  server.Start();
  EXPECT_EQ(server.Do({"GET", "later"}), "");
  ASSERT_TRUE(keeper.Reaches(2));
  AwaitChecks(&store);
  EXPECT_EQ(keeper.generation(), 2u);
  EXPECT_NE(server.Do({"GET", MarkerKey()}), marker);
}

TEST(GenerationKeeper, FindsAtItsStartWhatHappenedBefore) {
  RedisServer server;
  MemoryGenerationStore store;
  { ASSERT_TRUE(Keeper(server, &store).Reaches(1)); }
  ASSERT_EQ(server.Do({"SAVE"}), "OK");
  const std::string marker = server.Do({"GET", MarkerKey()});
  server.Kill();
  server.Start();
  ASSERT_EQ(server.Do({"GET", MarkerKey()}), marker);  // the copy brings the marker along
  { ASSERT_TRUE(Keeper(server, &store).Reaches(2)); }
  server.RestartEmpty();
  { ASSERT_TRUE(Keeper(server, &store).Reaches(2 + 1)); }
}

TEST(GenerationKeeper, RaisesOnceWhateverTheNumberOfServersThatSeeALoss) {
  RedisServer server;
  MemoryGenerationStore store;
  Keeper one(server, &store), two(server, &store), three(server, &store);
  for (uint64_t generation = 1; generation <= 5; ++generation) {
    for (Keeper* keeper : {&one, &two, &three}) ASSERT_TRUE(keeper->Reaches(generation));
    if (generation % 2 == 1) {
      server.RestartEmpty();
    } else {
      server.Do({"FLUSHALL"});
    }
  }
  for (Keeper* keeper : {&one, &two, &three}) ASSERT_TRUE(keeper->Reaches(6));
  AwaitChecks(&store);
  EXPECT_EQ(store.raised(), 6);
}

// A server that stood still writes the marker of a generation that others have raised meanwhile,
// into a Redis that was emptied once more.
TEST(GenerationKeeper, IsNotDeceivedByALateMarker) {
  RedisServer server;
  MemoryGenerationStore store;
  Keeper keeper(server, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  server.Do({"SET", MarkerKey(), "1 " + server.Info("master_replid") + " 0123456789abcdef"});
  ASSERT_TRUE(keeper.Reaches(2));
}

TEST(GenerationKeeper, FinishesWhatAnotherServerBegan) {
  RedisServer server;
  MemoryGenerationStore store;
  // It wrote the marker and died before SQL was raised.
  server.Do({"SET", MarkerKey(), "1 " + server.Info("master_replid") + " 0123456789abcdef"});
  Keeper keeper(server, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  EXPECT_TRUE(server.Do({"GET", MarkerKey()}).ends_with(" 0123456789abcdef"));
}

TEST(GenerationKeeper, ClimbsToRedisMarkerWhenSqlIsBehind) {
  RedisServer server;
  MemoryGenerationStore store;
  Keeper keeper(server, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  for (uint64_t generation = 2; generation <= 4; ++generation) {
    server.Do({"FLUSHALL"});
    ASSERT_TRUE(keeper.Reaches(generation));
  }
  store.Wipe();  // an older backup of SQL: epochs of generation 4 stand in Redis
  Keeper next(server, &store);
  ASSERT_TRUE(next.Reaches(4));
  EXPECT_EQ(next.told(), std::vector<uint64_t>{4});
}

TEST(GenerationKeeper, KnowsNothingUntilSqlAndRedisHaveAnswered) {
  RedisServer server;
  server.Kill();
  MemoryGenerationStore store;
  store.SetDown(true);
  Keeper keeper(server, &store);
  AwaitChecks(&store);
  EXPECT_EQ(keeper.generation(), 0u);
  store.SetDown(false);
  AwaitChecks(&store);
  EXPECT_EQ(keeper.generation(), 0u);
  store.SetDown(true);
  server.Start();
  AwaitChecks(&store);
  EXPECT_EQ(keeper.generation(), 0u);
  store.SetDown(false);
  ASSERT_TRUE(keeper.Reaches(1));
}

TEST(GenerationKeeper, ReadsBackWhenSqlDoesNotSayWhetherItRaised) {
  RedisServer server;
  MemoryGenerationStore store;
  store.LoseNextAnswer();
  Keeper keeper(server, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  EXPECT_EQ(store.raised(), 1);
}

TEST(GenerationKeeper, SeesTheLossOfOneMasterOfACluster) {
  runtime::RedisClusterServers nodes;
  runtime::RedisOptions options = RedisOnLoop::OptionsFor(nodes[0].address());
  options.cluster = true;
  MemoryGenerationStore store;
  Keeper keeper(options, &store);
  ASSERT_TRUE(keeper.Reaches(1));
  AwaitChecks(&store);
  EXPECT_EQ(keeper.generation(), 1u);
  nodes[1].Do({"FLUSHALL"});
  ASSERT_TRUE(keeper.Reaches(2));
  nodes[2].RestartEmpty();
  ASSERT_TRUE(keeper.Reaches(3));
  AwaitChecks(&store);
  EXPECT_EQ(store.raised(), 3);
}

}  // namespace
}  // namespace cluster
