// The client against a Redis Cluster of three masters.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <set>

#include "lib/runtime/redis_slots.h"
#include "tests/lib/runtime/redis_cluster_servers.h"
#include "tests/lib/runtime/redis_fixture.h"

namespace runtime {
namespace {

const RedisScript kSetBoth("set_both",
                           "redis.call('SET', KEYS[1], ARGV[1]) "
                           "return redis.call('INCR', KEYS[2])");

class RedisCluster : public testing::Test {
 protected:
  static void SetUpTestSuite() { nodes_ = std::make_unique<RedisClusterServers>(); }
  static void TearDownTestSuite() { nodes_ = nullptr; }

  static RedisServer& Node(size_t i) { return (*nodes_)[i]; }
  static RedisOptions Options(size_t seed = 0) {
    RedisOptions options = RedisOnLoop::OptionsFor(Node(seed).address());
    options.cluster = true;
    return options;
  }
  static size_t OwnerOf(int slot) { return RedisClusterServers::OwnerOf(slot); }
  static std::string IdOf(size_t node) { return nodes_->IdOf(node); }

  static std::unique_ptr<RedisClusterServers> nodes_;  // one for all tests here
};
std::unique_ptr<RedisClusterServers> RedisCluster::nodes_;

TEST_F(RedisCluster, GoesToTheMasterOfEachSlot) {
  RedisOnLoop redis(Options());
  std::vector<std::future<RedisClient::Reply>> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back(redis.Send({"SET", "key" + std::to_string(i), std::to_string(i)}));
  }
  for (auto& one : sent) EXPECT_EQ(Await(std::move(one))->text, "OK");
  std::array<int, 3> keys{};
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    const size_t owner = OwnerOf(RedisSlot(key));
    ++keys[owner];
    EXPECT_EQ(Node(owner).Do({"GET", key}), std::to_string(i));
  }
  for (int n : keys) EXPECT_GT(n, 10);
  ASSERT_TRUE(Eventually([&] { return redis.IsUp(); }));
  EXPECT_NE(redis.Get([&] { return redis.client()->whole_since_ms(); }), 0u);
  EXPECT_FALSE(redis.client()->KeepsOrder());
  EXPECT_EQ(redis.client()->stats().redirects, 0u);
}

TEST_F(RedisCluster, RunsAScriptWhereItsHashTagLives) {
  RedisOnLoop redis(Options(1));
  for (int i = 0; i < 20; ++i) {
    const std::string tag = "{" + std::to_string(i) + "}";
    RedisClient::Reply reply = redis.Evaluate(kSetBoth, {tag + "a", tag + "b"}, {"v"});
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->integer, 1) << reply->text;
  }
}

TEST_F(RedisCluster, HasATagOnEachMasterAndAsksEachMaster) {
  RedisOnLoop redis(Options(2));
  ASSERT_TRUE(Eventually([&] { return redis.IsUp(); }));
  std::vector<std::string> tags = redis.Get([&] { return redis.client()->MasterTags(); });
  std::set<size_t> owners;
  for (const std::string& tag : tags) owners.insert(OwnerOf(RedisSlot(tag)));
  EXPECT_EQ(owners.size(), 3u);
  std::promise<std::vector<RedisClient::Reply>> all;
  redis.Run([&] {
    redis.client()->OnEachMaster({"CLUSTER", "MYID"}, [&](std::vector<RedisClient::Reply> r) {
      all.set_value(std::move(r));
    });
  });
  std::set<std::string> ids;
  for (RedisClient::Reply& reply : Await(all.get_future())) {
    ASSERT_TRUE(reply.has_value());
    ids.insert(reply->text);
  }
  EXPECT_EQ(ids, (std::set<std::string>{IdOf(0), IdOf(1), IdOf(2)}));
}

TEST_F(RedisCluster, FollowsASlotThatIsMoving) {
  RedisOnLoop redis(Options());
  // Key by key from its first master to the second: ASK until the slot is MOVED.
  const std::string there = "{move}there", gone = "{move}gone", fresh = "{move}fresh";
  const std::string slot = std::to_string(RedisSlot(there));
  const size_t from = OwnerOf(RedisSlot(there)), to = (from + 1) % 3;
  redis.Must({"SET", there, "1"});
  redis.Must({"SET", gone, "2"});
  ASSERT_EQ(Node(to).Do({"CLUSTER", "SETSLOT", slot, "IMPORTING", IdOf(from)}), "OK");
  ASSERT_EQ(Node(from).Do({"CLUSTER", "SETSLOT", slot, "MIGRATING", IdOf(to)}), "OK");
  auto migrate = [&](const std::string& key) {
    return Node(from).Do(
        {"MIGRATE", "127.0.0.1", std::to_string(Node(to).port()), key, "0", "2000"});
  };
  ASSERT_EQ(migrate(gone), "OK");

  EXPECT_EQ(redis.Must({"GET", there}).text, "1");
  EXPECT_EQ(redis.client()->stats().redirects, 0u);
  EXPECT_EQ(redis.Must({"GET", gone}).text, "2");
  EXPECT_EQ(redis.client()->stats().redirects, 1u);
  EXPECT_EQ(redis.Must({"SET", fresh, "3"}).text, "OK");  // what is new goes to the new master
  EXPECT_EQ(redis.client()->stats().redirects, 2u);
  RedisClient::Reply script = redis.Evaluate(kSetBoth, {"{move}script", "{move}counter"}, {"v"});
  ASSERT_TRUE(script.has_value());
  EXPECT_TRUE(script->integer == 1 || IsTransient(*script)) << script->text;  // TRYAGAIN
  EXPECT_EQ(redis.Must({"GET", there}).text, "1");  // one ASK does not move the slot

  ASSERT_EQ(migrate(there), "OK");
  for (size_t node : {to, from, 3 - to - from}) {
    ASSERT_EQ(Node(node).Do({"CLUSTER", "SETSLOT", slot, "NODE", IdOf(to)}), "OK");
  }
  const uint64_t asked = redis.client()->stats().redirects;
  EXPECT_EQ(redis.Must({"GET", there}).text, "1");
  EXPECT_EQ(redis.client()->stats().redirects, asked + 1);
  EXPECT_EQ(redis.Must({"GET", fresh}).text, "3");
  EXPECT_EQ(redis.client()->stats().redirects, asked + 1);  // MOVED was remembered
}

}  // namespace
}  // namespace runtime
