#include "lib/cluster/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/cluster/redis_keys.h"
#include "lib/cluster/session_registry.h"
#include "tests/lib/cluster/sample_rows.h"
#include "tests/lib/runtime/redis_fixture.h"

namespace cluster {
namespace {

using runtime::RedisOnLoop;
using runtime::RedisServer;
using Append = AppendResult::Outcome;
using Kind = ResumeOutcome::Kind;
using std::chrono::milliseconds;

constexpr milliseconds kMinutes{300000};

class OutboxTest : public testing::Test {
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

  // Binds juliet's `resource` and enables stream management with in_seq 1.
  SessionRecord Begin(const std::string& resource, milliseconds resumption = kMinutes,
                      const std::string& manager = "connmgr-1") {
    BindRequest request{.account = juliet_,
                        .resource = resource,
                        .record = SampleRow("s" + resource, manager),
                        .generation = 1};
    auto bound = redis_->Wait([&] { return registry_.Bind(request); });
    EXPECT_TRUE(bound.has_value());
    SessionRecord row = bound->record;
    EXPECT_TRUE(*redis_->Wait([&] { return outbox_.Enable(Full(row), row, 1, resumption); }));
    return Row(resource);
  }
  xmpp::FullJid Full(const SessionRecord& row) {
    return *xmpp::FullJid::Make(juliet_, row.resource);
  }
  std::vector<SessionRecord> Rows() {
    return *redis_->Wait([&] { return registry_.Lookup(juliet_); });
  }
  SessionRecord Row(const std::string& resource) {
    for (const SessionRecord& row : Rows()) {
      if (row.resource == resource) return row;
    }
    return {};
  }

  static OutboxEntry Message(const std::string& text, int effect) {
    OutboxEntry entry;
    entry.stanza_class = 1;
    entry.kind = 1;
    entry.flags = 1;
    entry.effect = "effect-of-18-byte" + std::string(1, static_cast<char>(effect));
    entry.to = "juliet@example.net/a b";
    entry.body = "<message from='romeo@example.net/x'><body>" + text + "</body></message>";
    return entry;
  }
  static OutboxEntry Presence(const std::string& from, const std::string& status, int effect) {
    OutboxEntry entry = Message("", effect);
    entry.stanza_class = OutboxEntry::kPresenceClass;
    entry.kind = 2;
    entry.body = "<presence from='" + from + "'><status>" + status + "</status></presence>";
    return entry;
  }
  std::vector<AppendResult> AppendTo(const std::vector<SessionRecord>& rows,
                                     const OutboxEntry& entry, OutboxOrigin origin = {}) {
    std::vector<OutboxTarget> targets;
    for (const SessionRecord& row : rows) targets.push_back({row.resource, row.session, entry.to, {}});
    std::promise<std::vector<AppendResult>> got;
    redis_->Run([&] {
      outbox_.Append(juliet_, origin, entry, targets, [&](auto results) {
        EXPECT_TRUE(results.has_value());
        got.set_value(results.has_value() ? *results : std::vector<AppendResult>());
      });
    });
    return runtime::Await(got.get_future());
  }
  AppendResult AppendOne(const SessionRecord& row, const OutboxEntry& entry,
                         OutboxOrigin origin = {}) {
    return AppendTo({row}, entry, origin).at(0);
  }
  Outbox::Commit Commit(const SessionRecord& row, uint64_t in_seq, uint64_t confirmed) {
    std::promise<Outbox::Commit> got;
    redis_->Run([&] {
      outbox_.CommitTo(Full(row), row, in_seq, confirmed,
                       [&](auto result) { got.set_value(*result); });
    });
    return runtime::Await(got.get_future());
  }
  std::optional<Outbox::Pulled> Pull(const SessionRecord& row, uint64_t from,
                                     uint32_t stanzas = 100, uint32_t bytes = 1 << 20) {
    return *redis_->Wait([&] { return outbox_.Pull(Full(row), row, from, stanzas, bytes); });
  }
  ResumeOutcome Resume(const SessionRecord& row, uint32_t h,
                       const std::string& manager = "connmgr-2", uint64_t generation = 1) {
    ResumeRequest request{.account = juliet_,
                          .row = row,
                          .owner = {.manager = manager, .incarnation = 9, .connection = 5, .epoch = 0},
                          .generation = generation,
                          .h = h};
    auto outcome = redis_->Wait([&] { return outbox_.Resume(request); });
    EXPECT_TRUE(outcome.has_value());
    return outcome.has_value() ? *outcome : ResumeOutcome();
  }
  Outbox::Hibernation Hibernate(const SessionRecord& row) {
    return *redis_->Wait([&] { return outbox_.Hibernate(Full(row), row, milliseconds(0)); });
  }
  Outbox::Due DueOf(const SessionRecord& row) {
    return {juliet_.ToString(), row.session, row.resource};
  }
  Outbox::Expiry Expire(const SessionRecord& row, bool now = false) {
    return *redis_->Wait([&] { return outbox_.Expire(DueOf(row), now); });
  }
  // Taken from all buckets, as of `at` ms of the wall clock.
  std::vector<Outbox::Due> Due(uint64_t at, uint64_t lease_end) {
    std::vector<Outbox::Due> all;
    for (int bucket = 0; bucket < kDueBuckets; ++bucket) {
      auto due = *redis_->Wait([&] { return outbox_.TakeDue(bucket, at, lease_end, 100); });
      all.insert(all.end(), due.begin(), due.end());
    }
    return all;
  }
  std::vector<std::string> Bodies(const std::vector<OutboxEntry>& entries) {
    std::vector<std::string> bodies;
    for (const OutboxEntry& entry : entries) {
      size_t at = entry.body.find("y>");
      if (entry.kind == 2) at = entry.body.find("s>");
      bodies.push_back(entry.body.substr(at + 2, entry.body.find("</") - at - 2));
    }
    return bodies;
  }

  static RedisServer* server_;
  static RedisOnLoop* redis_;
  SessionRegistry registry_{redis_->client()};
  Outbox outbox_{redis_->client(), {.stanzas = 8, .bytes = 4000}};
  const xmpp::BareJid juliet_ = *xmpp::BareJid::Parse("juliet@example.net");
  const std::string tag_ = AccountTag("juliet@example.net");
};
RedisServer* OutboxTest::server_;
RedisOnLoop* OutboxTest::redis_;

using Texts = std::vector<std::string>;

TEST_F(OutboxTest, EnablingIsSeenInTheRowAndTwiceIsOnce) {
  SessionRecord row = Begin("a");
  EXPECT_NE(row.flags & kSessionStreamManagement, 0u);
  AppendOne(row, Message("one", 1));
  EXPECT_TRUE(*redis_->Wait([&] { return outbox_.Enable(Full(row), row, 1, kMinutes); }));
  EXPECT_EQ(Pull(row, 1)->last, 1u);
  row.owner.epoch++;
  EXPECT_FALSE(*redis_->Wait([&] { return outbox_.Enable(Full(row), row, 1, kMinutes); }));
}

TEST_F(OutboxTest, NumbersAreContiguousPerSessionAndOneScriptServesSeveral) {
  SessionRecord a = Begin("a"), b = Begin("b");
  EXPECT_EQ(AppendOne(a, Message("one", 1)).out_seq, 1u);
  auto both = AppendTo({a, b}, Message("two", 2));
  EXPECT_EQ(both[0].out_seq, 2u);
  EXPECT_EQ(both[1].out_seq, 1u);
  EXPECT_EQ(AppendOne(b, Message("three", 3)).out_seq, 2u);
  auto pulled = Pull(a, 1);
  EXPECT_EQ(pulled->first, 1u);
  EXPECT_EQ(Bodies(pulled->entries), (Texts{"one", "two"}));
  EXPECT_EQ(pulled->entries[1].effect, Message("", 2).effect);
  EXPECT_EQ(pulled->entries[1].to, "juliet@example.net/a b");
  EXPECT_EQ(pulled->entries[1].flags, 1u);
  EXPECT_EQ(Bodies(Pull(b, 2)->entries), (Texts{"three"}));
}

TEST_F(OutboxTest, AnEffectAppendedTwiceIsThereOnceEvenWhenItWasConfirmedMeanwhile) {
  SessionRecord a = Begin("a"), b = Begin("b");
  const OutboxOrigin origin{"romeos-session-0", 5, 4};
  EXPECT_EQ(AppendOne(a, Message("one", 1), origin).outcome, Append::kAppended);
  EXPECT_EQ(Commit(a, 0, 1), Outbox::Commit::kDone);
  // Again, and to a second session as well: only that one gets it.
  auto again = AppendTo({a, b}, Message("one", 1), origin);
  EXPECT_EQ(again[0].outcome, Append::kSeen);
  EXPECT_EQ(again[0].out_seq, 1u);
  EXPECT_EQ(again[1].outcome, Append::kAppended);
  EXPECT_TRUE(Pull(a, 1)->entries.empty());
}

TEST_F(OutboxTest, WhatItsOriginHasCommittedIsRememberedNoLonger) {
  SessionRecord a = Begin("a");
  const std::string session = "romeos-session-0";
  for (int i = 1; i <= 5; ++i) AppendOne(a, Message("x", i), {session, static_cast<uint64_t>(i), 0});
  const std::string seen = SeenKey(tag_, HexBytes(session));
  EXPECT_EQ(server_->Number({"ZCARD", seen}), 11);  // each twice, and up to where it has committed
  AppendOne(a, Message("x", 6), {session, 6, 4});
  EXPECT_EQ(server_->Number({"ZCARD", seen}), 5);
  EXPECT_GT(server_->Number({"PTTL", seen}), 600000);
}

TEST_F(OutboxTest, KnowsASessionThatIsGoneOrHasNoOutbox) {
  SessionRecord a = Begin("a");
  SessionRecord other = a;
  other.session = "somebody.else...";
  EXPECT_EQ(AppendOne(other, Message("x", 1)).outcome, Append::kGone);
  ASSERT_TRUE(redis_->Wait([&] { return registry_.End(juliet_, "a", a.owner); }).has_value());
  EXPECT_EQ(AppendOne(a, Message("x", 1)).outcome, Append::kGone);
}

TEST_F(OutboxTest, SaysWhenItIsFullAndTakesNoMoreFarBeyond) {
  SessionRecord a = Begin("a");
  std::vector<Append> outcomes;
  for (int i = 1; i <= 12; ++i) outcomes.push_back(AppendOne(a, Message("x", i)).outcome);
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), Append::kAppended), 7);
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), Append::kFull), 3);
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), Append::kOver), 2);
  Commit(a, 0, 10);
  // What was refused may come again.
  EXPECT_EQ(AppendOne(a, Message("x", 12)).outcome, Append::kAppended);
}

TEST_F(OutboxTest, CountsBytesAndGivesThemBack) {
  SessionRecord a = Begin("a");
  AppendOne(a, Presence("romeo@example.net/x", "away", 1));
  EXPECT_EQ(AppendOne(a, Message(std::string(4000, 'x'), 2)).outcome, Append::kFull);
  EXPECT_EQ(AppendOne(a, Message(std::string(4000, 'x'), 3)).outcome, Append::kOver);
  Commit(a, 0, 2);
  EXPECT_EQ(server_->Do({"HGET", OutboxStateKey(tag_, HexBytes(a.session)), "b"}), "0");
}

TEST_F(OutboxTest, CommitsOnlyForTheOwnerAndNeverBackwards) {
  SessionRecord a = Begin("a");
  EXPECT_EQ(Commit(a, 7, 0), Outbox::Commit::kDone);
  EXPECT_EQ(Commit(a, 5, 0), Outbox::Commit::kDone);
  SessionRecord old = a;
  old.owner.epoch--;
  EXPECT_EQ(Commit(old, 9, 0), Outbox::Commit::kFenced);
  EXPECT_EQ(Resume(a, 0).committed, 7u);
}

TEST_F(OutboxTest, PullsAsMuchAsThereIsRoomForAndOneAtLeast) {
  SessionRecord a = Begin("a");
  for (int i = 1; i <= 5; ++i) AppendOne(a, Message(std::to_string(i), i));
  EXPECT_EQ(Bodies(Pull(a, 2, 2)->entries), (Texts{"2", "3"}));
  EXPECT_EQ(Bodies(Pull(a, 4, 10, 1)->entries), (Texts{"4"}));
  Commit(a, 0, 3);
  auto pulled = Pull(a, 2);  // older than what is left
  EXPECT_EQ(pulled->first, 4u);
  EXPECT_EQ(pulled->last, 5u);
  a.owner.epoch++;
  EXPECT_FALSE(Pull(a, 1).has_value());
}

TEST_F(OutboxTest, ResumesUnderAHigherEpochAndFencesTheOldOwner) {
  SessionRecord a = Begin("a");
  for (int i = 1; i <= 3; ++i) AppendOne(a, Message(std::to_string(i), i));
  Commit(a, 4, 0);
  ResumeOutcome outcome = Resume(a, 2);
  ASSERT_EQ(outcome.kind, Kind::kResumed);
  EXPECT_GT(outcome.record.owner.epoch, a.owner.epoch);
  EXPECT_EQ(outcome.record.owner.manager, "connmgr-2");
  EXPECT_EQ(outcome.before.owner, a.owner);
  EXPECT_EQ(outcome.record.session, a.session);
  EXPECT_EQ(outcome.committed, 4u);
  EXPECT_EQ(outcome.base, 1u);
  EXPECT_EQ(outcome.confirmed, 2u);
  EXPECT_EQ(outcome.last, 3u);
  EXPECT_EQ(Commit(a, 9, 0), Outbox::Commit::kFenced);
  EXPECT_EQ(Bodies(Pull(outcome.record, 3)->entries), (Texts{"3"}));
  // Asked again after an unknown outcome: the same, and no new epoch.
  ResumeOutcome again = Resume(a, 2);
  EXPECT_EQ(again.kind, Kind::kResumed);
  EXPECT_EQ(again.record.owner, outcome.record.owner);
  EXPECT_EQ(Row("a").owner, outcome.record.owner);
}

TEST_F(OutboxTest, ResumptionDropsSupersededPresenceAndNumbersTheRestAnew) {
  SessionRecord a = Begin("a");
  const std::string romeo = "romeo@example.net/x", nurse = "nurse@example.net/y";
  AppendOne(a, Presence(romeo, "away", 1));
  AppendOne(a, Message("hello", 2));
  AppendOne(a, Presence(nurse, "here", 3));
  AppendOne(a, Presence(romeo, "back", 4));
  EXPECT_EQ(AppendOne(a, Message("bye", 5)).out_seq, 5u);
  // Without resumption each number is there, with what is true now.
  EXPECT_EQ(Bodies(Pull(a, 1)->entries), (Texts{"back", "hello", "here", "back", "bye"}));
  ResumeOutcome outcome = Resume(a, 0);
  EXPECT_EQ(outcome.last, 4u);
  EXPECT_EQ(Bodies(Pull(outcome.record, 1)->entries), (Texts{"hello", "here", "back", "bye"}));
  EXPECT_EQ(AppendOne(outcome.record, Message("more", 6)).out_seq, 5u);
  Commit(outcome.record, 0, 5);
  EXPECT_EQ(server_->Do({"HGET", OutboxStateKey(tag_, HexBytes(a.session)), "b"}), "0");
  EXPECT_EQ(server_->Do({"EXISTS", OutboxShownKey(tag_, HexBytes(a.session))}), "0");
}

TEST_F(OutboxTest, RefusesCountsThatCannotBe) {
  SessionRecord a = Begin("a");
  for (int i = 1; i <= 3; ++i) AppendOne(a, Message("x", i));
  Commit(a, 0, 2);
  ResumeOutcome high = Resume(a, 4);
  EXPECT_EQ(high.kind, Kind::kTooHigh);
  EXPECT_EQ(high.last, 3u);
  EXPECT_EQ(Resume(a, 1).kind, Kind::kTooLow);
  EXPECT_EQ(Row("a").owner, a.owner);  // nothing was changed
}

TEST_F(OutboxTest, CountsGoOnBeyondTwoToTheThirtyTwo) {
  SessionRecord a = Begin("a");
  server_->Do({"HSET", OutboxStateKey(tag_, HexBytes(a.session)), "t", "4294967294"});
  for (int i = 1; i <= 4; ++i) AppendOne(a, Message(std::to_string(i), i));
  ResumeOutcome outcome = Resume(a, 1);  // 2^32 + 1
  ASSERT_EQ(outcome.kind, Kind::kResumed);
  EXPECT_EQ(outcome.confirmed, 4294967297u);
  EXPECT_EQ(outcome.last, 4294967298u);
  EXPECT_EQ(Bodies(Pull(outcome.record, 4294967298u)->entries), (Texts{"4"}));
}

TEST_F(OutboxTest, HibernatesAndIsFoundWhenItsTimeIsOver) {
  SessionRecord a = Begin("a", milliseconds(50));
  EXPECT_EQ(Hibernate(a), Outbox::Hibernation::kDone);
  EXPECT_NE(Row("a").flags & kSessionHibernated, 0u);
  AppendOne(a, Message("late", 1));
  ASSERT_TRUE(runtime::Eventually([&] { return Expire(a).ended.has_value(); }));
  EXPECT_TRUE(Rows().empty());
  EXPECT_EQ(Resume(a, 0).kind, Kind::kGone);
  // Whoever comes next finds the same, until the outbox was dealt with.
  EXPECT_TRUE(Expire(a).ended.has_value());
  auto left = redis_->Wait([&] { return outbox_.Read(DueOf(a)); });
  EXPECT_EQ(Bodies(*left), (Texts{"late"}));
  EXPECT_TRUE(redis_->Wait([&] { return outbox_.Forget(DueOf(a), "sm-1"); }).has_value());
  EXPECT_FALSE(Expire(a).ended.has_value());
  EXPECT_EQ(*redis_->Wait([&] { return outbox_.LastH(juliet_, "sm-1"); }), 0u);
  EXPECT_EQ(server_->Do({"EXISTS", OutboxKey(tag_, HexBytes(a.session))}), "0");
}

TEST_F(OutboxTest, DoesNotExpireWhatWasResumed) {
  SessionRecord a = Begin("a", milliseconds(1));
  Hibernate(a);
  ResumeOutcome outcome = Resume(a, 0);
  ASSERT_EQ(outcome.kind, Kind::kResumed);
  EXPECT_EQ(outcome.record.flags & kSessionHibernated, 0u);
  EXPECT_FALSE(Expire(a).ended.has_value());
  EXPECT_EQ(Rows().size(), 1u);
  // But at once where that is asked for: its outbox overflowed.
  EXPECT_TRUE(Expire(a, /*now=*/true).ended.has_value());
}

TEST_F(OutboxTest, ResumptionAndTimeOutNeverBothSucceed) {
  for (int round = 0; round < 100; ++round) {
    SessionRecord a = Begin("a", milliseconds(1));
    Hibernate(a);
    std::promise<ResumeOutcome> resumed;
    std::promise<Outbox::Expiry> expired;
    auto ask = [&](bool resume) -> runtime::Task<void> {
      if (resume) {
        ResumeRequest request{.account = juliet_, .row = a,
                              .owner = {"connmgr-2", 9, 5, 0}, .generation = 1, .h = 0};
        auto outcome = co_await outbox_.Resume(std::move(request));
        resumed.set_value(*outcome);
      } else {
        auto outcome = co_await outbox_.Expire(DueOf(a), false);
        expired.set_value(*outcome);
      }
    };
    redis_->Run([&] {
      runtime::Spawn(ask(round % 2 == 0));
      runtime::Spawn(ask(round % 2 != 0));
    });
    const bool came_back = runtime::Await(resumed.get_future()).kind == Kind::kResumed;
    const bool ended = runtime::Await(expired.get_future()).ended.has_value();
    EXPECT_FALSE(came_back && ended);
    EXPECT_EQ(Rows().size(), ended ? 0u : 1u);
    server_->Do({"FLUSHALL"});
  }
}

TEST_F(OutboxTest, WithoutResumptionItCannotHibernate) {
  SessionRecord a = Begin("a", milliseconds(0));
  EXPECT_EQ(Hibernate(a), Outbox::Hibernation::kNotResumable);
  EXPECT_EQ(Resume(a, 0).kind, Kind::kGone);
}

TEST_F(OutboxTest, ADeadManagersSessionsHibernateUnlessTheyCannotBeResumed) {
  SessionRecord a = Begin("a"), b = Begin("b", milliseconds(0));
  auto ended = *redis_->Wait([&] { return registry_.EndAllOf(juliet_, "connmgr-1", 1); });
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].resource, "b");
  ASSERT_EQ(Rows().size(), 1u);
  EXPECT_NE(Row("a").flags & kSessionHibernated, 0u);
  // Asked again: the same, and not a second time to wait.
  const std::string deadline =
      server_->Do({"HGET", OutboxStateKey(tag_, HexBytes(a.session)), "d"});
  EXPECT_EQ(redis_->Wait([&] { return registry_.EndAllOf(juliet_, "connmgr-1", 1); })->size(), 1u);
  EXPECT_EQ(server_->Do({"HGET", OutboxStateKey(tag_, HexBytes(a.session)), "d"}), deadline);
  // Both are to be looked at, each in its time.
  EXPECT_EQ(Due(NowMs() + 1000, NowMs() + 30000).size(), 1u);
  EXPECT_EQ(Due(NowMs() + 400000, NowMs() + 900000).size(), 2u);
}

TEST_F(OutboxTest, EndedAndReplacedSessionsLeaveTheirOutboxToWhoeverTakesTheHint) {
  SessionRecord a = Begin("a");
  AppendOne(a, Message("left", 1));
  ASSERT_TRUE(redis_->Wait([&] { return registry_.End(juliet_, "a", a.owner); }).has_value());
  SessionRecord b = Begin("b");
  BindRequest request{.account = juliet_, .resource = "b", .record = SampleRow("new"),
                      .generation = 1};
  ASSERT_TRUE(redis_->Wait([&] { return registry_.Bind(request); }).has_value());
  auto due = Due(NowMs() + 10, NowMs() + 30000);
  ASSERT_EQ(due.size(), 2u);
  EXPECT_TRUE(Due(NowMs() + 10, NowMs() + 30000).empty());  // somebody is at it
  EXPECT_EQ(Due(NowMs() + 31000, NowMs() + 60000).size(), 2u);  // … and died
  const auto is_a = [](const Outbox::Due& one) { return one.resource == "a"; };
  const auto first = std::find_if(due.begin(), due.end(), is_a);
  ASSERT_NE(first, due.end());
  auto expiry = redis_->Wait([&] { return outbox_.Expire(*first, false); });
  ASSERT_TRUE(expiry->ended.has_value());
  EXPECT_EQ(expiry->ended->Write(), a.Write());
  EXPECT_EQ(Bodies(*redis_->Wait([&] { return outbox_.Read(*first); })), (Texts{"left"}));
}

TEST_F(OutboxTest, AHintThatWasPutAnewIsNotDropped) {
  SessionRecord a = Begin("a", milliseconds(1));
  Hibernate(a);
  const uint64_t lease = NowMs() + 30000;
  ASSERT_EQ(Due(NowMs() + 10, lease).size(), 1u);
  Hibernate(a);
  redis_->Run([&] { outbox_.DropDue(DueOf(a), lease); });
  EXPECT_EQ(Due(NowMs() + 10, NowMs() + 40000).size(), 1u);
}

TEST_F(OutboxTest, AnAnnouncedSessionKeepsWhatIsNewer) {
  SessionRecord a = Begin("a");
  AppendOne(a, Message("one", 1));
  Commit(a, 5, 0);
  const auto announce = [&](uint64_t accepted, uint64_t written) {
    return **redis_->Wait(
        [&] { return outbox_.Announce(Full(a), a, accepted, written, 1, kMinutes); });
  };
  EXPECT_EQ(announce(4, 1).committed, 5u);
  EXPECT_EQ(announce(6, 1).committed, 6u);
  EXPECT_EQ(announce(6, 1).last, 1u);
  // Redis came back without it: numbers go on.
  server_->Do({"FLUSHALL"});
  ASSERT_TRUE(redis_->Wait([&] { return registry_.Announce(juliet_, a, 2); }).has_value());
  EXPECT_EQ(announce(8, 40).committed, 8u);
  EXPECT_EQ(AppendOne(a, Message("two", 2)).out_seq, 41u);
}

TEST_F(OutboxTest, ResumptionFindsWhomTheSessionShowedDirectedPresence) {
  SessionRecord a = Begin("a");
  server_->Do({"HSET", DirectedKey(tag_), HexBytes(a.session),
               "nurse@example.net\nroom@example.net/j\n"});
  EXPECT_EQ(Resume(a, 0).directed, (Texts{"nurse@example.net", "room@example.net/j"}));
}

// --- rules that tests/model asked for

TEST_F(OutboxTest, AResumptionAskedAgainRenumbersNothing) {
  SessionRecord a = Begin("a");
  const std::string romeo = "romeo@example.net/x";
  AppendOne(a, Message("one", 1));
  SessionRecord now = Resume(a, 0).record;
  // Appended and pushed before it was known whether the resumption had come about.
  AppendOne(now, Presence(romeo, "away", 2));
  AppendOne(now, Presence(romeo, "back", 3));
  EXPECT_EQ(AppendOne(now, Message("two", 4)).out_seq, 4u);
  ResumeOutcome again = Resume(now, 0);
  EXPECT_EQ(again.last, 4u);
  EXPECT_EQ(Bodies(Pull(now, 4)->entries), (Texts{"two"}));
}

TEST_F(OutboxTest, WhatItsOriginHasCommittedComesTooLate) {
  SessionRecord a = Begin("a");
  const std::string romeo = "romeos-session-0";
  AppendOne(a, Message("one", 1), {romeo, 1, 0});
  AppendOne(a, Message("two", 2), {romeo, 2, 1});
  // From a server that slept, with what it knew then.
  EXPECT_EQ(AppendOne(a, Message("one", 1), {romeo, 1, 0}).outcome, Append::kSeen);
  EXPECT_EQ(AppendOne(a, Message("never delivered", 9), {romeo, 1, 0}).outcome, Append::kSeen);
  EXPECT_EQ(Bodies(Pull(a, 1)->entries), (Texts{"one", "two"}));
}

TEST_F(OutboxTest, TheAccountGetsARepeatedEffectOnceWhicheverSessionHadIt) {
  SessionRecord a = Begin("a"), b = Begin("b");
  const std::string romeo = "romeos-session-0";
  const auto seen = [&](const OutboxOrigin& origin, int effect) {
    return *redis_->Wait([&] { return outbox_.WasSeen(juliet_, origin, Message("", effect).effect); });
  };
  AppendOne(a, Message("one", 1), {romeo, 1, 0});
  EXPECT_EQ(AppendOne(b, Message("one", 1), {romeo, 1, 0, /*again=*/true}).outcome, Append::kSeen);
  EXPECT_TRUE(seen({romeo, 1, 0}, 1));
  EXPECT_FALSE(seen({romeo, 2, 0}, 2));
  // From offline storage, by its own key.
  AppendOne(a, Message("two", 2));
  EXPECT_EQ(AppendOne(b, Message("two", 2), {romeo, 2, 0, /*again=*/true}).outcome, Append::kSeen);
  EXPECT_TRUE(seen({romeo, 2, 0}, 2));
  EXPECT_EQ(AppendOne(b, Message("three", 3), {romeo, 3, 0, /*again=*/true}).outcome,
            Append::kAppended);
  EXPECT_TRUE(seen({romeo, 3, 2}, 3));
}

TEST_F(OutboxTest, GivesNoNumbersThatALostRedisMayHaveGivenBefore) {
  SessionRecord a = Begin("a"), b = Begin("b");
  Hibernate(b);
  redis_->Run([&] { outbox_.SetGeneration(2); });
  EXPECT_EQ(AppendOne(a, Message("one", 1)).outcome, Append::kGone);  // its manager announces it
  EXPECT_EQ(AppendOne(b, Message("one", 1)).outcome, Append::kAppended);
  EXPECT_EQ(Resume(b, 0).kind, Kind::kGone);
  ASSERT_TRUE(redis_->Wait([&] { return registry_.Announce(juliet_, a, 2); }).has_value());
  EXPECT_EQ(AppendOne(Row("a"), Message("one", 1)).outcome, Append::kAppended);
}

TEST_F(OutboxTest, WhatWasSeenGoesWithTheEntriesThatWereLost) {
  SessionRecord a = Begin("a");
  AppendOne(a, Message("one", 1));
  // An older copy: the manager wrote up to 7.
  auto announced = redis_->Wait([&] { return outbox_.Announce(Full(a), a, 1, 7, 1, kMinutes); });
  EXPECT_EQ((*announced)->last, 7u);
  EXPECT_EQ(AppendOne(a, Message("one", 1)).outcome, Append::kAppended);
  EXPECT_EQ(Bodies(Pull(a, 8)->entries), (Texts{"one"}));
}

TEST_F(OutboxTest, EntriesAreNumberedBehindWhatTheTrueOwnerWrote) {
  SessionRecord a = Begin("a");
  const std::string romeo = "romeo@example.net/x";
  // The former owner came first, and had written more.
  ASSERT_TRUE(redis_->Wait([&] { return outbox_.Announce(Full(a), a, 1, 9, 1, kMinutes); }).has_value());
  AppendOne(a, Message("one", 1));
  EXPECT_EQ(AppendOne(a, Presence(romeo, "away", 2)).out_seq, 11u);
  auto announced = redis_->Wait([&] { return outbox_.Announce(Full(a), a, 1, 3, 1, kMinutes); });
  EXPECT_EQ((*announced)->last, 5u);
  EXPECT_EQ(Bodies(Pull(a, 4)->entries), (Texts{"one", "away"}));
  Commit(a, 0, 5);
  EXPECT_EQ(server_->Do({"HGET", OutboxStateKey(tag_, HexBytes(a.session)), "b"}), "0");
  EXPECT_EQ(server_->Do({"EXISTS", OutboxShownKey(tag_, HexBytes(a.session))}), "0");
}

}  // namespace
}  // namespace cluster
