#include "lib/runtime/redis_client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/lib/runtime/redis_fixture.h"

namespace runtime {
namespace {

using std::chrono::milliseconds;
using Kind = RedisReply::Kind;

const RedisScript kTwice("twice", "return ARGV[1] .. ARGV[1]");

TEST(RedisClient, RunsCommandsOfOneTurnInOrderAndInFewReads) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  redis.Must({"PING"});
  const int64_t reads = strtoll(server.Info("total_reads_processed").c_str(), nullptr, 10);
  constexpr int kCommands = 500;
  std::vector<int64_t> answers;
  redis.Run([&] {
    for (int i = 0; i < kCommands; ++i) {
      redis.client()->Command("n", {"INCR", "n"}, [&](RedisClient::Reply reply) {
        answers.push_back(reply.has_value() ? reply->integer : -1);
      });
    }
  });
  ASSERT_TRUE(Eventually([&] { return redis.Get([&] { return answers.size(); }) == kCommands; }));
  for (int i = 0; i < kCommands; ++i) EXPECT_EQ(answers[static_cast<size_t>(i)], i + 1);
  // One write of ours arrives in a few pieces of Redis' read buffer, not in one a command.
  EXPECT_LT(strtoll(server.Info("total_reads_processed").c_str(), nullptr, 10) - reads, 20);
}

TEST(RedisClient, CarriesAnyBytesAndEveryKindOfReply) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  const std::string bytes("\0\r\n$5\r\n\xff{}", 11);
  EXPECT_EQ(redis.Must({"SET", bytes, bytes}).kind, Kind::kStatus);
  EXPECT_EQ(redis.Must({"GET", bytes}).text, bytes);
  EXPECT_TRUE(redis.Must({"GET", "none"}).IsNil());
  EXPECT_EQ(redis.Must({"INCRBY", "n", "-7"}).integer, -7);
  RedisReply error = redis.Must({"LPUSH", "n", "x"});
  EXPECT_TRUE(error.IsError());
  EXPECT_TRUE(error.text.starts_with("WRONGTYPE"));
  EXPECT_FALSE(IsTransient(error));
  redis.Must({"RPUSH", "list", "a", "", "c"});
  RedisReply list = redis.Must({"LRANGE", "list", "0", "-1"});
  ASSERT_EQ(list.kind, Kind::kArray);
  ASSERT_EQ(list.array.size(), 3u);
  EXPECT_EQ(list.array[1].text, "");
  EXPECT_EQ(list.array[2].text, "c");
  const std::string big(3 << 20, 'x');
  redis.Must({"SET", "big", big});
  EXPECT_EQ(redis.Must({"GET", "big"}).text, big);
}

TEST(RedisClient, SendsCommandsThatWaitedForTheConnection) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  EXPECT_EQ(redis.Must({"INCR", "n"}).integer, 1);  // asked before there was a connection
}

TEST(RedisClient, FallsBackToEvalWhenTheScriptIsNotThere) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  for (int flushed = 0; flushed < 2; ++flushed) {
    for (int i = 0; i < 3; ++i) {
      RedisClient::Reply reply = redis.Evaluate(kTwice, {"k"}, {"ab"});
      ASSERT_TRUE(reply.has_value());
      EXPECT_EQ(reply->text, "abab");
    }
    server.Do({"SCRIPT", "FLUSH"});
  }
  EXPECT_TRUE(server.Info("cmdstat_eval").starts_with("calls=2,"));
  EXPECT_TRUE(server.Info("cmdstat_evalsha").starts_with("calls=6,"));
}

TEST(RedisClient, DoesNotKnowWhatAnUnansweredCommandDid) {
  RedisServer server;
  RedisOptions options = RedisOnLoop::OptionsFor(server.address());
  options.command_deadline = milliseconds(200);
  options.silence = milliseconds(5000);
  RedisOnLoop redis(options);
  redis.Must({"PING"});
  server.Pause();
  RedisClient::Reply late = redis.Ask({"INCR", "n"});
  server.Resume();
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().kind, ErrorKind::kUnknown);
  // It did happen, and the client is not put off by it.
  EXPECT_TRUE(Eventually([&] { return server.Number({"GET", "n"}) == 1; }));
  EXPECT_TRUE(Eventually([&] { return redis.IsUp(); }));
  EXPECT_EQ(redis.Must({"INCR", "n"}).integer, 2);
  EXPECT_EQ(redis.client()->stats().timeouts, 1u);
}

TEST(RedisClient, DoesNotKnowWhatHappenedWhenTheServerDies) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  redis.Must({"PING"});
  std::future<RedisClient::Reply> blocked = redis.Send({"BLPOP", "list", "0"});
  ASSERT_TRUE(Eventually([&] { return server.Info("blocked_clients") == "1"; }));
  server.Kill();
  RedisClient::Reply reply = Await(std::move(blocked));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().kind, ErrorKind::kUnknown);
}

TEST(RedisClient, OpensItsCircuitWhenRedisStandsStillAndClosesItAfterwards) {
  RedisServer server;
  RedisOptions options = RedisOnLoop::OptionsFor(server.address());
  options.command_deadline = milliseconds(3000);
  options.silence = milliseconds(150);
  RedisOnLoop redis(options);
  redis.Must({"PING"});
  ASSERT_NE(redis.Get([&] { return redis.client()->whole_since_ms(); }), 0u);

  server.Pause();
  std::future<RedisClient::Reply> sent = redis.Send({"INCR", "n"});
  ASSERT_TRUE(Eventually([&] { return redis.state() == RedisClient::State::kOpen; }));
  EXPECT_EQ(redis.Get([&] { return redis.client()->whole_since_ms(); }), 0u);
  RedisClient::Reply refused = redis.Ask({"INCR", "n"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);

  const uint64_t before = redis.Get([&] { return redis.loop().NowMs(); });
  server.Resume();
  RedisClient::Reply answer = Await(std::move(sent));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->integer, 1);
  ASSERT_TRUE(Eventually([&] { return redis.IsUp(); }));
  EXPECT_GE(redis.Get([&] { return redis.client()->whole_since_ms(); }), before);
  EXPECT_EQ(redis.Must({"INCR", "n"}).integer, 2);  // the refused one was never sent
  EXPECT_EQ(redis.client()->stats().circuit_opened, 1u);
}

TEST(RedisClient, ComesBackAfterTheServerDied) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  std::atomic<int> connected{0};
  redis.Run([&] { redis.client()->OnConnected([&](const std::string&) { ++connected; }); });
  redis.Must({"SET", "k", "v"});
  const int before = connected;
  const uint64_t whole = redis.Get([&] { return redis.client()->whole_since_ms(); });
  server.RestartEmpty();
  ASSERT_TRUE(Eventually([&] { return connected == before + 1; }));
  EXPECT_TRUE(redis.Must({"GET", "k"}).IsNil());
  EXPECT_GT(redis.Get([&] { return redis.client()->whole_since_ms(); }), whole);
}

TEST(RedisClient, RefusesAtOnceWhileNoServerIsThere) {
  RedisOptions options = RedisOnLoop::OptionsFor("unix:/nonexistent/redis.sock");
  options.silence = milliseconds(100);
  RedisOnLoop redis(options);
  ASSERT_TRUE(Eventually([&] { return redis.state() == RedisClient::State::kOpen; }));
  RedisClient::Reply reply = redis.Ask({"PING"});
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(redis.Get([&] { return redis.client()->whole_since_ms(); }), 0u);
}

TEST(RedisClient, BoundsWhatIsOutstanding) {
  RedisServer server;
  RedisOptions options = RedisOnLoop::OptionsFor(server.address());
  options.max_outstanding = 3;
  RedisOnLoop redis(options);
  redis.Must({"PING"});
  int answered = 0, refused = 0;
  redis.Run([&] {
    for (int i = 0; i < 5; ++i) {
      redis.client()->Command("", {"PING"}, [&](RedisClient::Reply reply) {
        reply.has_value() ? ++answered : ++refused;
      });
    }
  });
  ASSERT_TRUE(Eventually([&] { return redis.Get([&] { return answered + refused; }) == 5; }));
  EXPECT_EQ(refused, 2);
  EXPECT_EQ(redis.Must({"PING"}).text, "PONG");
}

TEST(RedisClient, IsNotWholeWhileRedisRefusesWrites) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  redis.Must({"PING"});
  server.Do({"CONFIG", "SET", "maxmemory", "1"});
  RedisReply refused = redis.Must({"SET", "k", "v"});
  EXPECT_TRUE(IsTransient(refused)) << refused.text;
  EXPECT_EQ(redis.Get([&] { return redis.client()->whole_since_ms(); }), 0u);
  server.Do({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_FALSE(redis.Must({"SET", "k", "v"}).IsError());
  EXPECT_NE(redis.Get([&] { return redis.client()->whole_since_ms(); }), 0u);
}

TEST(RedisClient, SaysItsPassword) {
  RedisServer server;
  server.Do({"ACL", "SETUSER", "xylem", "on", ">secret", "~*", "+@all"});
  RedisOptions options = RedisOnLoop::OptionsFor(server.address());
  options.username = "xylem";
  options.password = "secret";
  RedisOnLoop redis(options);
  EXPECT_EQ(redis.Must({"ACL", "WHOAMI"}).text, "xylem");
}

TEST(RedisClient, DropsTheCallbacksOfCommandsUnderWayWithItself) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  redis.Must({"PING"});
  auto held = std::make_shared<bool>(false);
  redis.Run([&] {
    std::unique_ptr<RedisClient> other =
        RedisClient::Create(&redis.loop(), RedisOnLoop::OptionsFor(server.address()));
    other->Command("", {"PING"}, [held](RedisClient::Reply) { *held = true; });
  });
  EXPECT_TRUE(Eventually([&] { return held.use_count() == 1; }));
  EXPECT_FALSE(*held);
}

TEST(RedisClient, AsksTheOneServerAsEveryMaster) {
  RedisServer server;
  RedisOnLoop redis(server.address());
  redis.Must({"PING"});
  std::promise<std::vector<RedisClient::Reply>> all;
  redis.Run([&] {
    EXPECT_TRUE(redis.client()->KeepsOrder());
    EXPECT_EQ(redis.client()->MasterTags().size(), 1u);
    redis.client()->OnEachMaster({"INFO", "replication"}, [&](std::vector<RedisClient::Reply> r) {
      all.set_value(std::move(r));
    });
  });
  std::vector<RedisClient::Reply> replies = Await(all.get_future());
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_NE(replies[0]->text.find(server.Info("master_replid")), std::string::npos);
}

TEST(RedisReply, TellsWhatPassesByItself) {
  auto error = [](const char* text) { return RedisReply{.kind = Kind::kError, .text = text}; };
  for (const char* text : {"LOADING Redis is loading the dataset in memory", "OOM command not",
                           "READONLY You can't write", "CLUSTERDOWN The cluster is down",
                           "TRYAGAIN Multiple keys", "BUSY", "MISCONF Redis is"}) {
    EXPECT_TRUE(IsTransient(error(text))) << text;
  }
  for (const char* text : {"ERR unknown command", "WRONGTYPE Operation", "BUSYGROUP Consumer"}) {
    EXPECT_FALSE(IsTransient(error(text))) << text;
  }
  EXPECT_FALSE(IsTransient(RedisReply{.kind = Kind::kString, .text = "OOM"}));
}

}  // namespace
}  // namespace runtime
