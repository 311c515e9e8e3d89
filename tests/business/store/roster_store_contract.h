// What every engine of RosterStore must do.
#pragma once

#include <map>
#include <set>

#include "tests/business/store/store_contract.h"

namespace business {

class RosterContract : public EngineContract {
 protected:
  using Outcome = RosterUpdate::Outcome;

  void SetUp() override {
    EngineContract::SetUp();
    AddAccount("juliet@example.com");
    rosters_ = store_->Rosters(&loop());
  }
  void TearDown() override {
    rosters_.reset();
    EngineContract::TearDown();
  }
  RosterUpdate Update(const std::string& contact, RosterTransition transition,
                      RosterUpdateOptions options = {}) {
    return Ask([&] { return rosters_->Update(juliet_, AnyJid(contact), transition, options); });
  }
  RosterUpdate Name(const std::string& contact, const std::string& name,
                    RosterUpdateOptions options = {}) {
    return Update(
        contact,
        [name](RosterEntry entry) {
          if (!entry.item) entry.item.emplace();
          entry.item->name = name;
          return entry;
        },
        options);
  }
  RosterUpdate Remove(const std::string& contact) {
    return Update(contact, [](RosterEntry entry) {
      entry.item.reset();
      return entry;
    });
  }
  Roster Load() {
    return Ask([&] { return rosters_->Load(juliet_); });
  }
  RosterChanges Since(int64_t version) {
    return Ask([&] { return rosters_->Since(juliet_, version); });
  }

  const xmpp::BareJid juliet_ = Bare("juliet@example.com");
  std::unique_ptr<RosterStore> rosters_;
};

TEST_P(RosterContract, IsEmptyBeforeAnythingWasWritten) {
  EXPECT_EQ(Load().version, 0);
  EXPECT_TRUE(Load().entries.empty());
  EXPECT_FALSE(Ask([&] { return rosters_->Find(juliet_, AnyJid("romeo@example.net")); }).item);
  EXPECT_TRUE(Since(0).known);
}

TEST_P(RosterContract, KeepsEverythingOfAnEntry) {
  const RosterEntry romeo{
      .contact = AnyJid("romeo@example.net"),
      .item = RosterItem{.name = "R'o\"meo ü",
                         .subscription = Subscription::kFrom,
                         .ask = true,
                         .approved = true,
                         .groups = {"Friends", "", "Love & war"}},
      .request = SubscriptionRequest{.stanza = std::string("<presence/>\0x", 13), .stamp = 1234}};
  const RosterUpdate update =
      Update("romeo@example.net", [&](const RosterEntry&) { return romeo; });
  EXPECT_EQ(update.outcome, Outcome::kChanged);
  EXPECT_EQ(update.before, RosterEntry{.contact = AnyJid("romeo@example.net")});
  EXPECT_EQ(update.after, romeo);
  EXPECT_GT(update.version, 0);
  const Roster roster = Load();
  EXPECT_EQ(roster.version, update.version);
  ASSERT_EQ(roster.entries.size(), 1u);
  EXPECT_EQ(roster.entries[0], romeo);
  EXPECT_EQ(Ask([&] { return rosters_->Find(juliet_, romeo.contact); }), romeo);
}

TEST_P(RosterContract, RaisesTheVersionWithEachChangeOfAnItemAndOnlyThen) {
  const int64_t first = Name("romeo@example.net", "Romeo").version;
  EXPECT_EQ(Name("romeo@example.net", "Romeo").outcome, Outcome::kUnchanged);
  EXPECT_EQ(Load().version, first);
  const RosterUpdate asked = Update("nurse@example.com", [](RosterEntry entry) {
    entry.request = SubscriptionRequest{.stanza = "<presence/>", .stamp = 1};
    return entry;
  });
  EXPECT_EQ(asked.outcome, Outcome::kChanged);
  EXPECT_EQ(asked.version, first);
  EXPECT_EQ(Load().version, first);
  EXPECT_EQ(Name("romeo@example.net", "Montague").version, first + 1);
  EXPECT_EQ(Load().version, first + 1);
}

// RFC 6121 §3.1.3: the request waits for an answer, seen or not in the roster.
TEST_P(RosterContract, KeepsRequestsApartFromItems) {
  Update("nurse@example.com", [](RosterEntry entry) {
    entry.request = SubscriptionRequest{.stanza = "<presence/>", .stamp = 1};
    return entry;
  });
  ASSERT_EQ(Load().entries.size(), 1u);
  EXPECT_FALSE(Load().entries[0].item);
  ASSERT_TRUE(Load().entries[0].request);
  Name("nurse@example.com", "Nurse");
  ASSERT_EQ(Load().entries.size(), 1u);
  EXPECT_TRUE(Load().entries[0].request);
  Remove("nurse@example.com");
  EXPECT_TRUE(Load().entries[0].request);
  Update("nurse@example.com", [](RosterEntry entry) {
    entry.request.reset();
    return entry;
  });
  EXPECT_TRUE(Load().entries.empty());
}

TEST_P(RosterContract, TellsWhatChangedSinceAVersion) {
  const int64_t first = Name("a@example.com", "a").version;
  Name("b@example.com", "b");
  Name("c@example.com", "c");
  Name("a@example.com", "A");
  Remove("b@example.com");
  Remove("nobody@example.com");
  const RosterChanges changes = Since(first);
  ASSERT_TRUE(changes.known);
  EXPECT_EQ(changes.version, first + 4);
  ASSERT_EQ(changes.changed.size(), 3u);
  EXPECT_EQ(changes.changed[0].contact.ToString(), "c@example.com");
  EXPECT_EQ(changes.changed[1].item->name, "A");
  EXPECT_EQ(changes.changed[2].contact.ToString(), "b@example.com");
  EXPECT_FALSE(changes.changed[2].item);
  EXPECT_TRUE(Since(first + 4).known);
  EXPECT_TRUE(Since(first + 4).changed.empty());
  Name("b@example.com", "back");
  EXPECT_EQ(Since(first + 4).changed.at(0).item->name, "back");
}

TEST_P(RosterContract, DoesNotKnowVersionsThatItNeverGave) {
  const int64_t first = Name("a@example.com", "a").version;
  EXPECT_FALSE(Since(first + 1).known);
  EXPECT_FALSE(Since(first - 1).known);
  EXPECT_FALSE(Since(0).known);
  EXPECT_FALSE(Since(-5).known);
}

TEST_P(RosterContract, ForgetsTheOldestRemovals) {
  Name("first@example.com", "");
  const int64_t begin = Remove("first@example.com").version;
  constexpr int kMany = 130;
  for (int i = 0; i < kMany; ++i) {
    const std::string contact = "c" + std::to_string(i) + "@example.com";
    Name(contact, "");
    Remove(contact);
  }
  EXPECT_FALSE(Since(begin - 1).known);
  EXPECT_FALSE(Since(begin + 1).known);
  const RosterChanges some = Since(begin + 2 * kMany - 100);
  ASSERT_TRUE(some.known);
  EXPECT_EQ(some.changed.size(), 50u);
  EXPECT_TRUE(Load().entries.empty());
}

// R2, R4: whoever does not know whether it was done asks again.
TEST_P(RosterContract, RecognisesARepeatByItsCause) {
  Update("romeo@example.net", [](RosterEntry entry) {
    entry.request = SubscriptionRequest{.stanza = "<presence/>", .stamp = 7};
    return entry;
  });
  const auto approve = [](RosterEntry entry) {
    if (!entry.request) return entry;  // §3.1.5: nothing to answer
    entry.request.reset();
    entry.item = RosterItem{.subscription = Subscription::kFrom};
    return entry;
  };
  const RosterUpdate first = Update("romeo@example.net", approve, {.cause = Effect(1)});
  ASSERT_EQ(first.outcome, Outcome::kChanged);
  Name("romeo@example.net", "later");
  const RosterUpdate again = Update("romeo@example.net", approve, {.cause = Effect(1)});
  EXPECT_EQ(again.outcome, Outcome::kRepeated);
  EXPECT_EQ(again.before, first.before);
  EXPECT_EQ(again.after, first.after);
  EXPECT_EQ(again.version, first.version);
  EXPECT_EQ(Load().version, first.version + 1);
  EXPECT_EQ(Load().entries.at(0).item->name, "later");
  EXPECT_EQ(Update("romeo@example.net", approve, {.cause = Effect(2)}).outcome,
            Outcome::kUnchanged);
}

TEST_P(RosterContract, RemembersTheNewestCausesOfEachContact) {
  for (int i = 0; i < 20; ++i) {
    Name("romeo@example.net", std::to_string(i), {.cause = Effect(i)});
  }
  EXPECT_EQ(Name("romeo@example.net", "17", {.cause = Effect(17)}).outcome, Outcome::kRepeated);
  EXPECT_EQ(Name("romeo@example.net", "0", {.cause = Effect(0)}).outcome, Outcome::kChanged);
}

TEST_P(RosterContract, IsFullAtItsLimits) {
  RosterUpdateOptions limits;
  limits.max_items = 2;
  limits.max_requests = 1;
  const auto ask = [](RosterEntry entry) {
    entry.request = SubscriptionRequest{.stanza = "<presence/>", .stamp = 7};
    return entry;
  };
  EXPECT_EQ(Name("a@example.com", "a", limits).outcome, Outcome::kChanged);
  EXPECT_EQ(Name("b@example.com", "b", limits).outcome, Outcome::kChanged);
  const RosterUpdate full = Name("c@example.com", "c", limits);
  EXPECT_EQ(full.outcome, Outcome::kFull);
  EXPECT_EQ(full.after, full.before);
  EXPECT_EQ(Name("a@example.com", "A", limits).outcome, Outcome::kChanged);
  Remove("b@example.com");
  EXPECT_EQ(Name("c@example.com", "c", limits).outcome, Outcome::kChanged);
  EXPECT_EQ(Update("x@example.com", ask, limits).outcome, Outcome::kChanged);
  EXPECT_EQ(Update("y@example.com", ask, limits).outcome, Outcome::kFull);
  EXPECT_EQ(Load().entries.size(), 3u);
}

TEST_P(RosterContract, WritesNothingForWhoIsNoAccount) {
  const auto update = Ask([&] {
    return rosters_->Update(Bare("nobody@example.com"), AnyJid("romeo@example.net"),
                            [](RosterEntry entry) {
                              entry.item.emplace();
                              return entry;
                            },
                            {});
  });
  EXPECT_EQ(update.outcome, Outcome::kNoOwner);
  EXPECT_TRUE(Ask([&] { return rosters_->Load(Bare("nobody@example.com")); }).entries.empty());
}

TEST_P(RosterContract, GivesAnAccountOfTheSameNameAnEmptyRosterWithLaterVersions) {
  const int64_t version = Name("romeo@example.net", "Romeo").version;
  RemoveAccount("juliet@example.com");
  EXPECT_TRUE(Load().entries.empty());
  AddAccount("juliet@example.com");
  EXPECT_TRUE(Load().entries.empty());
  EXPECT_FALSE(Since(version).known);
  EXPECT_GE(Name("nurse@example.com", "Nurse").version, version);
  EXPECT_EQ(Load().entries.size(), 1u);
}

// Two servers work on one contact at once: a read in one and a write in the other would lose one
// of the two bits.
TEST_P(RosterContract, LosesNoTransitionOfTwoServersAtOnce) {
  auto other_store = Open();
  auto other = other_store->Rosters(&loop());
  const auto count_up = [](RosterEntry entry) {
    if (!entry.item) entry.item.emplace();
    entry.item->groups.push_back("x");
    return entry;
  };
  std::vector<std::future<runtime::Result<RosterUpdate>>> updates;
  constexpr int kEach = 100;
  for (int i = 0; i < kEach; ++i) {
    for (RosterStore* store : {rosters_.get(), other.get()}) {
      updates.push_back(StartOn(loop(), [this, store, count_up] {
        return store->Update(juliet_, AnyJid("romeo@example.net"), count_up, {});
      }));
    }
  }
  std::set<int64_t> versions;
  for (auto& update : updates) {
    auto result = update.get();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->outcome, Outcome::kChanged);
    versions.insert(result->version);
  }
  EXPECT_EQ(versions.size(), 2u * kEach);
  EXPECT_EQ(Load().entries.at(0).item->groups.size(), 2u * kEach);
  other.reset();
  other_store.reset();
}

// A roster and the version it is said to have belong together, whoever writes meanwhile.
TEST_P(RosterContract, ReadsARosterAndItsVersionOfOneMoment) {
  auto other_store = Open();
  auto other = other_store->Rosters(&loop());
  const int64_t first = Name("c@example.com", "").version;
  const auto update = [&] {
    return StartOn(loop(), [this, &other] {
      return other->Update(juliet_, AnyJid("c@example.com"),
                           [](RosterEntry entry) {
                             entry.item->groups.push_back("x");
                             return entry;
                           },
                           {});
    });
  };
  // Reads without a pause while one write after the other is committed.
  for (int i = 0; i < 150; ++i) {
    auto written = update();
    do {
      const Roster roster = Load();
      ASSERT_EQ(static_cast<int64_t>(roster.entries.at(0).item->groups.size()),
                roster.version - first);
    } while (written.wait_for(std::chrono::seconds(0)) != std::future_status::ready);
    ASSERT_TRUE(written.get());
  }
  other.reset();
  other_store.reset();
}

}  // namespace business
