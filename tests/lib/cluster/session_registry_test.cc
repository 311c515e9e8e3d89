#include "lib/cluster/session_registry.h"

#include <gtest/gtest.h>

#include <set>

#include "lib/cluster/redis_keys.h"
#include "tests/lib/cluster/sample_rows.h"
#include "tests/lib/runtime/redis_fixture.h"

namespace cluster {
namespace {

using runtime::ErrorKind;
using runtime::RedisOnLoop;
using runtime::RedisServer;
using Kind = BindOutcome::Kind;

class Registry : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new RedisServer();
    redis_ = new RedisOnLoop(server_->address());
  }
  static void TearDownTestSuite() {
    delete redis_;
    delete server_;
  }
  void SetUp() override { server_->Do({"FLUSHALL"}); }

  // A bind of "session" (any text) for romeo at `resource`.
  BindRequest Request(const std::string& resource, const std::string& session,
                      uint64_t generation = 1, const std::string& manager = "connmgr-1") {
    return {.account = romeo_,
            .resource = resource,
            .record = SampleRow(session, manager),
            .generation = generation};
  }
  runtime::Result<BindOutcome> TryBind(BindRequest request) {
    return redis_->Wait([&] { return registry_.Bind(std::move(request)); });
  }
  BindOutcome Bind(BindRequest request) {
    runtime::Result<BindOutcome> outcome = TryBind(std::move(request));
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    return outcome.has_value() ? *outcome : BindOutcome();
  }
  std::vector<SessionRecord> Lookup() {
    auto rows = redis_->Wait([&] { return registry_.Lookup(romeo_); });
    EXPECT_TRUE(rows.has_value());
    return rows.has_value() ? *rows : std::vector<SessionRecord>();
  }
  WriteOutcome Update(const SessionRecord& record) {
    return *redis_->Wait([&] { return registry_.Update(romeo_, record); });
  }
  std::optional<SessionRecord> End(const SessionRecord& record) {
    return *redis_->Wait([&] { return registry_.End(romeo_, record.resource, record.owner); });
  }
  SessionRegistry::AnnounceOutcome Announce(const SessionRecord& record, uint64_t generation) {
    auto outcome = redis_->Wait([&] { return registry_.Announce(romeo_, record, generation); });
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    return *outcome;
  }
  SessionRegistry::OwnerCheck Check(const SessionRecord& record) {
    std::promise<SessionRegistry::OwnerCheck> check;
    redis_->Run([&] {
      registry_.CheckOwner(
          *xmpp::FullJid::Make(romeo_, record.resource), record.owner,
          [&](runtime::Result<SessionRegistry::OwnerCheck> result) { check.set_value(*result); });
    });
    return runtime::Await(check.get_future());
  }
  bool Owns(const SessionRecord& record) { return Check(record).owns; }

  static RedisServer* server_;
  static RedisOnLoop* redis_;
  SessionRegistry registry_{redis_->client()};
  const xmpp::BareJid romeo_ = *xmpp::BareJid::Parse("romeo@example.net");
  const std::string tag_ = AccountTag("romeo@example.net");
};
RedisServer* Registry::server_;
RedisOnLoop* Registry::redis_;

std::set<std::string> ResourcesOf(const std::vector<SessionRecord>& rows) {
  std::set<std::string> resources;
  for (const SessionRecord& row : rows) resources.insert(row.resource);
  return resources;
}

// Bind

TEST_F(Registry, BindsUnderTheGenerationsNextEpochAndListsTheAccount) {
  BindOutcome outcome = Bind(Request("Balcony", "a", 5));
  EXPECT_EQ(outcome.kind, Kind::kBound);
  EXPECT_FALSE(outcome.replaced.has_value());
  EXPECT_EQ(outcome.record.owner.epoch, (uint64_t{5} << kEpochCounterBits) | 1);
  EXPECT_EQ(outcome.record.announced_generation, 5u);
  std::vector<SessionRecord> rows = Lookup();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].Write(), outcome.record.Write());
  EXPECT_EQ(rows[0].resource, "Balcony");
  EXPECT_EQ(server_->Do({"SISMEMBER", ManagerAccountsKey("connmgr-1", 1), "romeo@example.net"}),
            "1");
  EXPECT_EQ(server_->Do({"HEXISTS", ManagersKey(), ManagerField("connmgr-1", 1)}), "1");
  EXPECT_EQ(Bind(Request("Garden", "b", 5)).record.owner.epoch,
            (uint64_t{5} << kEpochCounterBits) | 2);
}

TEST_F(Registry, MakesUpAResourceOfItsOwnForEachSession) {
  std::string first = Bind(Request("", "a")).record.resource;
  EXPECT_GE(first.size(), 16u);
  EXPECT_EQ(Bind(Request("", "a")).record.resource, first);  // the bind repeated
  EXPECT_NE(Bind(Request("", "b")).record.resource, first);
}

TEST_F(Registry, TakesOverAResourceAndFencesTheOldOwner) {
  SessionRecord old = Bind(Request("Balcony", "a", 1, "connmgr-1")).record;
  BindOutcome outcome = Bind(Request("Balcony", "b", 1, "connmgr-2"));
  EXPECT_EQ(outcome.kind, Kind::kBound);
  ASSERT_TRUE(outcome.replaced.has_value());
  EXPECT_EQ(outcome.replaced->Write(), old.Write());
  EXPECT_GT(outcome.record.owner.epoch, old.owner.epoch);
  ASSERT_EQ(Lookup().size(), 1u);
  EXPECT_FALSE(Owns(old));
  EXPECT_TRUE(Owns(outcome.record));
  EXPECT_EQ(Update(old), WriteOutcome::kFenced);
  EXPECT_FALSE(End(old).has_value());
  EXPECT_EQ(Lookup()[0].Write(), outcome.record.Write());
}

TEST_F(Registry, SaysWithTheOwnerWhetherOthersWantCopies) {
  SessionRecord mine = Bind(Request("Balcony", "a")).record;
  SessionRecord other = Bind(Request("Garden", "b")).record;
  EXPECT_FALSE(Check(mine).others_want_copies);
  other.flags |= kSessionCarbons;
  other.presence_number = 1;
  EXPECT_EQ(Update(other), WriteOutcome::kDone);
  EXPECT_TRUE(Check(mine).owns);
  EXPECT_TRUE(Check(mine).others_want_copies);
  EXPECT_FALSE(Check(other).others_want_copies);  // its own wish is none of others
}

TEST_F(Registry, GivesARepeatedBindTheFirstOnesAnswer) {
  Bind(Request("Balcony", "a"));
  BindOutcome first = Bind(Request("Balcony", "b"));
  BindOutcome again = Bind(Request("Balcony", "b"));
  EXPECT_EQ(again.kind, Kind::kBound);
  EXPECT_EQ(again.record.Write(), first.record.Write());
  ASSERT_TRUE(again.replaced.has_value());
  EXPECT_EQ(again.replaced->Write(), first.replaced->Write());
  EXPECT_EQ(server_->Do({"GET", EpochKey(tag_)}), "2");
}

TEST_F(Registry, RefusesABoundResourceWhereThePolicySaysSo) {
  SessionRecord standing = Bind(Request("Balcony", "a")).record;
  BindRequest request = Request("Balcony", "b");
  request.replace = false;
  BindOutcome outcome = Bind(std::move(request));
  EXPECT_EQ(outcome.kind, Kind::kConflict);
  EXPECT_EQ(outcome.record.Write(), standing.Write());
  EXPECT_TRUE(Owns(standing));
  EXPECT_EQ(server_->Do({"GET", EpochKey(tag_)}), "1");
}

TEST_F(Registry, BoundsTheResourcesOfAnAccountButLetsOneBeTakenOver) {
  for (const char* resource : {"1", "2"}) Bind(Request(resource, resource));
  BindRequest third = Request("3", "3");
  third.max_resources = 2;
  EXPECT_EQ(Bind(third).kind, Kind::kTooManyResources);
  EXPECT_EQ(ResourcesOf(Lookup()), (std::set<std::string>{"1", "2"}));
  BindRequest again = Request("2", "other");
  again.max_resources = 2;
  EXPECT_EQ(Bind(again).kind, Kind::kBound);
}

TEST_F(Registry, RaisesEpochsWithTheGenerationWhateverTheCounter) {
  for (int i = 0; i < 5; ++i) Bind(Request("Balcony", "a" + std::to_string(i), 1));
  SessionRecord old = Lookup()[0];
  server_->Do({"DEL", EpochKey(tag_)});
  SessionRecord fresh = Bind(Request("Balcony", "new", 2)).record;
  EXPECT_EQ(fresh.owner.epoch, (uint64_t{2} << kEpochCounterBits) | 1);
  EXPECT_GT(fresh.owner.epoch, old.owner.epoch);
}

TEST_F(Registry, NeverGivesAnEpochTwiceWhenOnlyTheCounterWasLost) {
  for (int i = 0; i < 5; ++i) Bind(Request("Balcony", "a" + std::to_string(i)));
  SessionRecord old = Lookup()[0];
  server_->Do({"DEL", EpochKey(tag_)});
  EXPECT_EQ(Bind(Request("Balcony", "new")).record.owner.epoch, old.owner.epoch + 1);
}

TEST_F(Registry, DoesNotBindOverARowOfANewerGeneration) {
  SessionRecord standing = Bind(Request("Balcony", "a", 3)).record;
  runtime::Result<BindOutcome> behind = TryBind(Request("Balcony", "b", 2));
  ASSERT_FALSE(behind.has_value());
  EXPECT_EQ(behind.error().kind, ErrorKind::kFailed);
  EXPECT_TRUE(Owns(standing));
}

TEST_F(Registry, KeepsAnyBytesOfAResourceAndAPresence) {
  BindRequest request = Request("a b\n{c}%2f", "a");
  request.record.presence = std::string("<presence>\n\0</presence>", 23);
  SessionRecord bound = Bind(std::move(request)).record;
  std::vector<SessionRecord> rows = Lookup();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].resource, "a b\n{c}%2f");
  EXPECT_EQ(rows[0].presence, bound.presence);
  EXPECT_TRUE(End(bound).has_value());
}

// Look-up

TEST_F(Registry, SkipsRowsItCannotRead) {
  Bind(Request("Balcony", "a"));
  server_->Do({"HSET", SessionsKey(tag_), "broken", "1 nonsense\n"});
  server_->Do({"HSET", SessionsKey(tag_), "later", "2 " + SampleRow("b").Write().substr(2)});
  EXPECT_EQ(ResourcesOf(Lookup()), std::set<std::string>{"Balcony"});
}

TEST_F(Registry, TellsRedisErrorsThatPassFromThoseThatStay) {
  server_->Do({"SET", SessionsKey(tag_), "not a hash"});
  auto rows = redis_->Wait([&] { return registry_.Lookup(romeo_); });
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind, ErrorKind::kFailed);
  server_->Do({"FLUSHALL"});
  server_->Do({"CONFIG", "SET", "maxmemory", "1"});
  runtime::Result<BindOutcome> full = TryBind(Request("Balcony", "a"));
  server_->Do({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().kind, ErrorKind::kUnavailable) << full.error().message;
  EXPECT_TRUE(Lookup().empty());
}

// Update

TEST_F(Registry, UpdatesItsOwnRow) {
  SessionRecord record = Bind(Request("Balcony", "a")).record;
  record.available = true;
  record.priority = 5;
  record.presence_number = 2;
  record.presence = "<presence/>";
  record.flags = kSessionCarbons;
  EXPECT_EQ(Update(record), WriteOutcome::kDone);
  EXPECT_EQ(Lookup()[0].Write(), record.Write());
}

TEST_F(Registry, KeepsTheNewerPresence) {
  SessionRecord record = Bind(Request("Balcony", "a")).record;
  record.presence_number = 20;
  record.presence = "<presence>new</presence>";
  EXPECT_EQ(Update(record), WriteOutcome::kDone);
  SessionRecord older = record;
  older.presence_number = 19;
  older.presence = "<presence>old</presence>";
  EXPECT_EQ(Update(older), WriteOutcome::kDone);  // late, not foreign
  EXPECT_EQ(Lookup()[0].presence, "<presence>new</presence>");
}

TEST_F(Registry, FencesEveryOwnerButTheSame) {
  SessionRecord record = Bind(Request("Balcony", "a")).record;
  for (int part = 0; part < 5; ++part) {
    SessionRecord other = record;
    if (part == 0) ++other.owner.epoch;
    if (part == 1) ++other.owner.connection;
    if (part == 2) ++other.owner.incarnation;
    if (part == 3) other.owner.manager = "connmgr-2";
    if (part == 4) other.resource = "Garden";
    EXPECT_EQ(Update(other), WriteOutcome::kFenced) << part;
    EXPECT_FALSE(Owns(other)) << part;
    EXPECT_FALSE(End(other).has_value()) << part;
  }
  ASSERT_EQ(Lookup().size(), 1u);
  EXPECT_EQ(Lookup()[0].Write(), record.Write());
}

// End

TEST_F(Registry, GivesTheRowAgainWhenItIsEndedTwice) {
  SessionRecord record = Bind(Request("Balcony", "a")).record;
  for (int i = 0; i < 2; ++i) {
    std::optional<SessionRecord> ended = End(record);
    ASSERT_TRUE(ended.has_value()) << i;
    EXPECT_EQ(ended->Write(), record.Write());
  }
  EXPECT_TRUE(Lookup().empty());
  EXPECT_EQ(Update(record), WriteOutcome::kFenced);
}

TEST_F(Registry, DoesNotEndTheNextSessionByARepetition) {
  SessionRecord first = Bind(Request("Balcony", "a")).record;
  End(first);
  SessionRecord second = Bind(Request("Balcony", "b")).record;
  EXPECT_TRUE(End(first).has_value());
  EXPECT_TRUE(Owns(second));
}

// Announce

TEST_F(Registry, WritesAnAnnouncedRowAnewUnderItsOwnEpoch) {
  SessionRecord record = Bind(Request("Balcony", "a", 1)).record;
  for (int i = 0; i < 3; ++i) Bind(Request("Garden", "g" + std::to_string(i), 1));
  SessionRecord newest = *redis_->Wait([&] { return registry_.Lookup(romeo_); })->begin();
  for (const SessionRecord& row : Lookup()) {
    if (row.owner.epoch > newest.owner.epoch) newest = row;
  }
  server_->Do({"FLUSHALL"});
  auto outcome = Announce(newest, 2);
  EXPECT_EQ(outcome.outcome, WriteOutcome::kDone);
  EXPECT_EQ(outcome.record.owner, newest.owner);
  EXPECT_EQ(outcome.record.announced_generation, 2u);
  EXPECT_EQ(Announce(record, 2).outcome, WriteOutcome::kDone);
  EXPECT_EQ(ResourcesOf(Lookup()), (std::set<std::string>{"Balcony", "Garden"}));
  EXPECT_EQ(server_->Do({"SISMEMBER", ManagerAccountsKey("connmgr-1", 1), "romeo@example.net"}),
            "1");
  // The counter is behind no announced epoch: a bind by a server that is behind is newer still.
  EXPECT_GT(Bind(Request("Orchard", "o", 1)).record.owner.epoch, newest.owner.epoch);
}

TEST_F(Registry, FencesAnAnnouncementWhenAHigherEpochStands) {
  SessionRecord old = Bind(Request("Balcony", "a", 1, "connmgr-1")).record;
  SessionRecord standing = Bind(Request("Balcony", "b", 1, "connmgr-2")).record;
  auto outcome = Announce(old, 2);
  EXPECT_EQ(outcome.outcome, WriteOutcome::kFenced);
  EXPECT_EQ(outcome.record.Write(), standing.Write());
  EXPECT_TRUE(Owns(standing));
}

TEST_F(Registry, TakesARestoredOlderRowsPlaceByAnAnnouncement) {
  SessionRecord restored = Bind(Request("Balcony", "a", 1, "connmgr-1")).record;
  SessionRecord newer = SampleRow("b", "connmgr-2");
  newer.resource = "Balcony";
  newer.owner.epoch = restored.owner.epoch + 4;  // bound after the copy was made
  EXPECT_EQ(Announce(newer, 2).outcome, WriteOutcome::kDone);
  EXPECT_TRUE(Owns(newer));
  EXPECT_FALSE(Owns(restored));
}

TEST_F(Registry, KeepsANewerPresenceThroughAnAnnouncement) {
  SessionRecord record = Bind(Request("Balcony", "a", 1)).record;
  SessionRecord updated = record;
  updated.presence_number = 300;
  updated.presence = "<presence>new</presence>";
  Update(updated);
  auto outcome = Announce(record, 2);
  EXPECT_EQ(outcome.outcome, WriteOutcome::kDone);
  EXPECT_EQ(outcome.record.presence_number, 300u);
  EXPECT_EQ(outcome.record.presence, "<presence>new</presence>");
  EXPECT_EQ(outcome.record.announced_generation, 2u);
  SessionRecord newest = updated;
  newest.presence_number = 301;
  newest.presence = "<presence>newest</presence>";
  EXPECT_EQ(Announce(newest, 2).record.presence, "<presence>newest</presence>");
}

// Ends of many

TEST_F(Registry, EndsAllRowsOfOneIncarnationAndSaysItAgain) {
  Bind(Request("1", "a", 1, "connmgr-1"));
  Bind(Request("2", "b", 1, "connmgr-1"));
  Bind(Request("3", "c", 1, "connmgr-2"));
  BindRequest next_life = Request("4", "d", 1, "connmgr-1");
  next_life.record.owner.incarnation = 2;
  Bind(std::move(next_life));
  for (int i = 0; i < 2; ++i) {
    auto ended = redis_->Wait([&] { return registry_.EndAllOf(romeo_, "connmgr-1", 1); });
    EXPECT_EQ(ResourcesOf(*ended), (std::set<std::string>{"1", "2"}));
  }
  EXPECT_EQ(ResourcesOf(Lookup()), (std::set<std::string>{"3", "4"}));
  auto none = redis_->Wait([&] { return registry_.EndAllOf(romeo_, "connmgr-3", 1); });
  EXPECT_TRUE(none->empty());
}

TEST_F(Registry, SweepsOnlyWhatWasNotAnnounced) {
  Bind(Request("restored", "a", 1));
  SessionRecord announced = Bind(Request("announced", "b", 1)).record;
  Announce(announced, 2);
  Bind(Request("bound", "c", 2));
  Bind(Request("foreign", "d", 1, "connmgr-2"));
  auto swept = redis_->Wait([&] { return registry_.SweepAccount(romeo_, "connmgr-1", 1, 2); });
  EXPECT_EQ(ResourcesOf(*swept), std::set<std::string>{"restored"});
  EXPECT_EQ(ResourcesOf(Lookup()), (std::set<std::string>{"announced", "bound", "foreign"}));
}

// Versions

TEST_F(Registry, RaisesAVersionThatNeverComesAgain) {
  auto version = [&] { return *redis_->Wait([&] { return registry_.Version(romeo_); }); };
  auto raise = [&] { return *redis_->Wait([&] { return registry_.RaiseVersion(romeo_); }); };
  EXPECT_EQ(version(), 0u);
  uint64_t last = 0;
  for (int i = 0; i < 50; ++i) {  // many within one millisecond
    uint64_t next = raise();
    EXPECT_GT(next, last);
    last = next;
    EXPECT_EQ(version(), last);
  }
  server_->Do({"DEL", VersionKey(tag_)});
  EXPECT_EQ(version(), 0u);
  // Fifty raises took longer than the fifty milliseconds that they may be ahead of the clock.
  ASSERT_TRUE(runtime::Eventually([&] { return NowMs() > last; }));
  EXPECT_GT(raise(), last);
}

}  // namespace
}  // namespace cluster
