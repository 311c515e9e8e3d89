#include <gtest/gtest.h>

#include <map>

#include "lib/cluster/lease.h"
#include "lib/cluster/redis_keys.h"
#include "tests/lib/cluster/sample_rows.h"
#include "tests/lib/runtime/redis_fixture.h"

namespace cluster {
namespace {

using runtime::Eventually;
using runtime::RedisOnLoop;
using runtime::RedisServer;
using std::chrono::milliseconds;

constexpr milliseconds kLease(300);

// A business server, as far as reaping goes.
class Business {
 public:
  explicit Business(const RedisServer& server, const std::string& name = "business-1")
      : redis_(server.address()), registry_(redis_.client()) {
    redis_.Run([&] {
      reaper_ =
          std::make_unique<Reaper>(&redis_.loop(), redis_.client(), &registry_, name,
                                   Reaper::Options{.interval = milliseconds(30),
                                                   .lease = kLease,
                                                   .settling = milliseconds(400),
                                                   .lock = milliseconds(1000)},
                                   [this](const xmpp::BareJid& account, const SessionRecord& row) {
                                     ++ended_[account.ToString() + "/" + row.resource];
                                     ended_ms_ = redis_.loop().NowMs();
                                     whole_ms_ = redis_.client()->whole_since_ms();
                                   });
      reaper_->Start();
    });
  }
  ~Business() {
    redis_.Run([&] { reaper_ = nullptr; });
  }

  RedisOnLoop& redis() { return redis_; }
  Reaper& reaper() { return *reaper_; }
  Reaper::Stats stats() {
    return redis_.Get([&] { return reaper_->stats(); });
  }
  // Full JID → how often it was told.
  std::map<std::string, int> ended() {
    return redis_.Get([&] { return ended_; });
  }
  // How long Redis had been whole when a row was last ended.
  uint64_t WholeFor() {
    return redis_.Get([&] { return ended_ms_ - whole_ms_; });
  }

  void Bind(const std::string& account, const std::string& manager, uint64_t generation = 1) {
    BindRequest request{.account = *xmpp::BareJid::Parse(account),
                        .resource = "r",
                        .record = SampleRow(account.substr(0, account.find('@')), manager),
                        .generation = generation};
    auto outcome = redis_.Wait([&] { return registry_.Bind(request); });
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
  }
  bool Bound(const std::string& account) {
    const xmpp::BareJid jid = xmpp::BareJid::FromNormalized(account);
    auto rows = redis_.Wait([&] { return registry_.Lookup(jid); });
    EXPECT_TRUE(rows.has_value());
    return rows.has_value() && !rows->empty();
  }
  SessionRegistry& registry() { return registry_; }
  void Link(const std::string& manager) {
    redis_.Run([&] { reaper_->ManagerLinked(manager, 1); });
  }
  void Unlink(const std::string& manager) {
    redis_.Run([&] { reaper_->ManagerUnlinked(manager, 1); });
  }

 private:
  RedisOnLoop redis_;
  SessionRegistry registry_;
  std::map<std::string, int> ended_;
  uint64_t ended_ms_ = 0, whole_ms_ = 0;
  std::unique_ptr<Reaper> reaper_;
};

// A manager with a lease of its own.
class LeaseHolder {
 public:
  LeaseHolder(const RedisServer& server, const std::string& manager) : redis_(server.address()) {
    redis_.Run([&] {
      lease_ = std::make_unique<ManagerLease>(&redis_.loop(), redis_.client(), manager, 1, kLease);
      lease_->Start();
    });
    EXPECT_TRUE(Eventually([&] {
      return server.Do({"EXISTS", ManagerLeaseKey(manager, 1)}) == "1";
    }));
  }
  ~LeaseHolder() { Die(); }
  void Die() {
    redis_.Run([&] { lease_ = nullptr; });
  }
  void Release() {
    std::promise<bool> done;
    redis_.Run([&] { lease_->Release([&] { done.set_value(true); }); });
    runtime::Await(done.get_future());
  }

 private:
  RedisOnLoop redis_;
  std::unique_ptr<ManagerLease> lease_;
};

bool HasLease(const RedisServer& server, const std::string& manager) {
  return server.Do({"EXISTS", ManagerLeaseKey(manager, 1)}) == "1";
}
bool IsListed(const RedisServer& server, const std::string& manager) {
  return server.Do({"HEXISTS", ManagersKey(), ManagerField(manager, 1)}) == "1";
}

// A dead manager with one session: when it is reaped, everybody's time has come.
void AwaitReapOf(Business* business, const RedisServer& server, const std::string& manager) {
  business->Bind(manager + "@example.net", manager);
  ASSERT_TRUE(Eventually([&] { return !IsListed(server, manager); }));
  ASSERT_FALSE(business->Bound(manager + "@example.net"));
}

// The lease

TEST(ManagerLease, IsHeldWhileItsManagerLivesAndRunsOutAfterwards) {
  RedisServer server;
  LeaseHolder manager(server, "connmgr-1");
  const std::string key = ManagerLeaseKey("connmgr-1", 1);
  // Renewed at least ten times.
  const std::string before = server.Info("cmdstat_set");
  ASSERT_TRUE(Eventually([&] {
    std::string sets = server.Info("cmdstat_set");
    return strtol(sets.c_str() + sets.find('=') + 1, nullptr, 10) > 10;
  }));
  EXPECT_GT(server.Number({"PTTL", key}), 0);
  EXPECT_LE(server.Number({"PTTL", key}), kLease.count());
  manager.Die();
  EXPECT_TRUE(Eventually([&] { return !HasLease(server, "connmgr-1"); }));
}

TEST(ManagerLease, IsDroppedAtOnceByAManagerThatExits) {
  RedisServer server;
  LeaseHolder manager(server, "connmgr-1");
  manager.Release();
  EXPECT_FALSE(HasLease(server, "connmgr-1"));
}

TEST(ManagerLease, ComesBackAfterRedisWasAway) {
  RedisServer server;
  LeaseHolder manager(server, "connmgr-1");
  server.RestartEmpty();
  EXPECT_TRUE(Eventually([&] { return HasLease(server, "connmgr-1"); }));
}

TEST(ManagerLease, IsGivenUpEvenIfRedisDoesNotAnswer) {
  RedisServer server;
  LeaseHolder manager(server, "connmgr-1");
  server.Kill();
  manager.Release();  // waits for `done`
}

// Reaping

TEST(Reaper, EndsWhatADeadManagerLeftAndForgetsIt) {
  RedisServer server;
  LeaseHolder living(server, "connmgr-2");
  Business business(server);
  constexpr int kAccounts = 300;  // several pages
  for (int i = 0; i < kAccounts; ++i) {
    business.Bind("user" + std::to_string(i) + "@example.net", "connmgr-1");
  }
  business.Bind("juliet@example.net", "connmgr-2");
  ASSERT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  std::map<std::string, int> ended = business.ended();
  EXPECT_EQ(ended.size(), static_cast<size_t>(kAccounts));
  for (const auto& [jid, times] : ended) EXPECT_EQ(times, 1) << jid;
  EXPECT_FALSE(business.Bound("user7@example.net"));
  EXPECT_TRUE(business.Bound("juliet@example.net"));
  EXPECT_TRUE(IsListed(server, "connmgr-2"));
  EXPECT_EQ(
      server.Do({"EXISTS", ManagerAccountsKey("connmgr-1", 1), ManagerReaperKey("connmgr-1", 1)}),
      "0");
  EXPECT_TRUE(Eventually([&] { return business.stats().managers_reaped == 1; }));
  EXPECT_EQ(business.stats().sessions_reaped, static_cast<uint64_t>(kAccounts));
  EXPECT_GE(business.WholeFor(), 2u * kLease.count());
}

TEST(Reaper, LeavesARowThatAnotherManagerTookOver) {
  RedisServer server;
  LeaseHolder living(server, "connmgr-2");
  Business business(server);
  business.Bind("romeo@example.net", "connmgr-1");
  BindRequest take{.account = *xmpp::BareJid::Parse("romeo@example.net"),
                   .resource = "r",
                   .record = SampleRow("other", "connmgr-2"),
                   .generation = 1};
  auto taken = business.redis().Wait([&] { return business.registry().Bind(take); });
  ASSERT_TRUE(taken.has_value() && taken->replaced.has_value());
  ASSERT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  EXPECT_TRUE(business.Bound("romeo@example.net"));
  EXPECT_TRUE(business.ended().empty());
}

TEST(Reaper, SparesAManagerThatIsCutOffFromRedisButLinked) {
  RedisServer server;
  Business linked(server, "business-1"), other(server, "business-2");
  linked.Bind("romeo@example.net", "connmgr-1");  // it never had a lease of its own
  linked.Link("connmgr-1");
  EXPECT_TRUE(Eventually([&] { return HasLease(server, "connmgr-1"); }));
  for (const char* dead : {"connmgr-7", "connmgr-8", "connmgr-9"}) {
    AwaitReapOf(&other, server, dead);
  }
  EXPECT_TRUE(linked.Bound("romeo@example.net"));
  EXPECT_TRUE(IsListed(server, "connmgr-1"));
  // Two streams: the manager is linked until the last one goes.
  linked.Link("connmgr-1");
  linked.Unlink("connmgr-1");
  AwaitReapOf(&other, server, "connmgr-6");
  EXPECT_TRUE(linked.Bound("romeo@example.net"));
  linked.Unlink("connmgr-1");
  EXPECT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  EXPECT_FALSE(linked.Bound("romeo@example.net"));
}

TEST(Reaper, ListsALinkedManagerAnewAfterRedisWasEmptied) {
  RedisServer server;
  Business business(server);
  business.Link("connmgr-1");
  ASSERT_TRUE(Eventually([&] { return IsListed(server, "connmgr-1"); }));
  server.Do({"FLUSHALL"});
  EXPECT_TRUE(
      Eventually([&] { return IsListed(server, "connmgr-1") && HasLease(server, "connmgr-1"); }));
}

TEST(Reaper, WaitsUntilRedisHasBeenWholeForTwoLeases) {
  RedisServer server;
  Business business(server);
  business.Bind("romeo@example.net", "connmgr-1");
  server.Do({"SAVE"});
  ASSERT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  const uint64_t held_back = business.stats().held_back;
  EXPECT_GT(held_back, 0u);
  // All leases have run out when a Redis that stood still comes back, and every manager lives.
  server.Kill();
  server.Start();
  ASSERT_TRUE(IsListed(server, "connmgr-1"));
  ASSERT_TRUE(Eventually([&] { return business.stats().held_back > held_back; }));
  EXPECT_TRUE(business.Bound("romeo@example.net"));
  ASSERT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  EXPECT_GE(business.WholeFor(), 2u * kLease.count());
}

TEST(Reaper, TrustsALeaseThatItRenewedItselfSinceRedisIsWhole) {
  RedisServer server;
  Business business(server);
  business.Link("connmgr-1");
  ASSERT_TRUE(Eventually([&] { return HasLease(server, "connmgr-1"); }));
  business.Bind("romeo@example.net", "connmgr-1");
  business.redis().Run([] {});  // the answer to the renewal has been seen
  business.Unlink("connmgr-1");
  ASSERT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  EXPECT_FALSE(business.Bound("romeo@example.net"));
  EXPECT_EQ(business.stats().held_back, 0u);
}

TEST(Reaper, SparesEverybodyWhenRedisStoodStillLongerThanALease) {
  RedisServer server;
  LeaseHolder manager(server, "connmgr-1");
  Business business(server);
  business.Bind("romeo@example.net", "connmgr-1");
  AwaitReapOf(&business, server, "connmgr-9");  // the reaper is at work
  const uint64_t opened = business.redis().client()->stats().circuit_opened;
  server.Pause();
  EXPECT_TRUE(
      Eventually([&] { return business.redis().client()->stats().circuit_opened > opened; }));
  server.Resume();
  EXPECT_TRUE(Eventually([&] { return HasLease(server, "connmgr-1"); }));
  AwaitReapOf(&business, server, "connmgr-8");
  EXPECT_TRUE(business.Bound("romeo@example.net"));
}

TEST(Reaper, TellsEachRowOnceWhenSeveralServersReap) {
  RedisServer server;
  Business one(server, "business-1"), two(server, "business-2"), three(server, "business-3");
  for (int i = 0; i < 300; ++i) {
    one.Bind("user" + std::to_string(i) + "@example.net", "connmgr-1");
  }
  ASSERT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  std::map<std::string, int> ended;
  for (Business* business : {&one, &two, &three}) {
    for (const auto& [jid, times] : business->ended()) ended[jid] += times;
  }
  EXPECT_EQ(ended.size(), 300u);
  for (const auto& [jid, times] : ended) EXPECT_EQ(times, 1) << jid;
}

TEST(Reaper, LeavesAManagerToTheReaperThatHoldsTheLock) {
  RedisServer server;
  Business business(server);
  server.Do({"SET", ManagerReaperKey("connmgr-1", 1), "business-2"});
  business.Bind("romeo@example.net", "connmgr-1");
  AwaitReapOf(&business, server, "connmgr-9");
  AwaitReapOf(&business, server, "connmgr-8");
  EXPECT_TRUE(business.Bound("romeo@example.net"));
  server.Do({"DEL", ManagerReaperKey("connmgr-1", 1)});  // business-2 died, its time ran out
  EXPECT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  EXPECT_FALSE(business.Bound("romeo@example.net"));
}

TEST(Reaper, TriesAgainWhereAnAccountCouldNotBeEnded) {
  RedisServer server;
  Business business(server);
  const std::string broken = AccountTag("broken@example.net");
  server.Do({"SET", SessionsKey(broken), "not a hash"});
  server.Do({"SADD", ManagerAccountsKey("connmgr-1", 1), "broken@example.net"});
  business.Bind("romeo@example.net", "connmgr-1");
  ASSERT_TRUE(Eventually([&] { return !business.Bound("romeo@example.net"); }));
  AwaitReapOf(&business, server, "connmgr-9");
  EXPECT_TRUE(IsListed(server, "connmgr-1"));
  server.Do({"DEL", SessionsKey(broken)});
  EXPECT_TRUE(Eventually([&] { return !IsListed(server, "connmgr-1"); }));
  EXPECT_EQ(business.ended()["romeo@example.net/r"], 1);
}

// Sweeping

TEST(Reaper, SweepsWhatALiveManagerDidNotAnnounceUnderTheNewGeneration) {
  RedisServer server;
  LeaseHolder manager(server, "connmgr-1");
  Business business(server);
  business.Bind("restored@example.net", "connmgr-1", 1);
  business.Bind("announced@example.net", "connmgr-1", 1);
  const xmpp::BareJid announced = *xmpp::BareJid::Parse("announced@example.net");
  SessionRecord row =
      business.redis().Wait([&] { return business.registry().Lookup(announced); })->front();
  business.redis().Run([&] { business.reaper().SetGeneration(1); });
  business.Link("connmgr-1");
  const std::string swept = ManagerSweptKey("connmgr-1", 1);
  ASSERT_TRUE(Eventually([&] { return server.Do({"GET", swept}) == "1"; }));
  EXPECT_TRUE(business.ended().empty());  // nothing is older than generation 1

  auto again =
      business.redis().Wait([&] { return business.registry().Announce(announced, row, 2); });
  ASSERT_TRUE(again.has_value());
  uint64_t raised_ms = 0;
  business.redis().Run([&] {
    business.reaper().SetGeneration(2);
    raised_ms = runtime::EventLoop::MonotonicMs();
  });
  ASSERT_TRUE(Eventually([&] { return server.Do({"GET", swept}) == "2"; }));
  EXPECT_GE(runtime::EventLoop::MonotonicMs() - raised_ms, 390u);  // the time to announce
  EXPECT_EQ(business.ended(), (std::map<std::string, int>{{"restored@example.net/r", 1}}));
  EXPECT_FALSE(business.Bound("restored@example.net"));
  EXPECT_TRUE(business.Bound("announced@example.net"));
  EXPECT_TRUE(IsListed(server, "connmgr-1"));
  EXPECT_TRUE(Eventually([&] { return business.stats().managers_swept == 2; }));
  EXPECT_EQ(business.stats().sessions_swept, 1u);
  EXPECT_EQ(business.stats().sessions_reaped, 0u);
}

TEST(Reaper, LeavesTheSweepToServersThatAreLinked) {
  RedisServer server;
  LeaseHolder manager(server, "connmgr-1");
  Business business(server);
  business.Bind("romeo@example.net", "connmgr-1", 1);
  business.redis().Run([&] { business.reaper().SetGeneration(2); });
  AwaitReapOf(&business, server, "connmgr-9");
  AwaitReapOf(&business, server, "connmgr-8");
  EXPECT_TRUE(business.Bound("romeo@example.net"));
  EXPECT_EQ(server.Do({"EXISTS", ManagerSweptKey("connmgr-1", 1)}), "0");
}

}  // namespace
}  // namespace cluster
