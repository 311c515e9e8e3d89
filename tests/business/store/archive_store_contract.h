// What every engine of ArchiveStore must do.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "tests/business/store/store_contract.h"

namespace business {

class ArchiveContract : public EngineContract {
 protected:
  using Outcome = ArchivePlace::Outcome;
  using Numbers = std::vector<int>;

  void SetUp() override {
    EngineContract::SetUp();
    AddAccount("juliet@example.com");
    AddAccount("romeo@example.net");
    archives_ = store_->Archives(&loop());
  }
  void TearDown() override {
    archives_.reset();
    EngineContract::TearDown();
  }

  ArchiveEntry Entry(int number, const std::string& with = "romeo@example.net/orchard") {
    return {.owner = juliet_,
            .effect = Effect(number),
            .with = AnyJid(with),
            .bytes = "<message id='" + std::to_string(number) + "'/>",
            .origin_id = "o" + std::to_string(number),
            .stamp_ms = 1000 * (number + 1)};
  }
  std::vector<ArchivePlace> Insert(std::vector<ArchiveEntry> entries) {
    return Ask([&] { return archives_->Insert(entries); });
  }
  ArchivePlace InsertOne(const ArchiveEntry& entry) { return Insert({entry}).at(0); }
  // 0 … count - 1, all with Romeo.
  void Fill(int count) {
    std::vector<ArchiveEntry> entries;
    for (int i = 0; i < count; ++i) entries.push_back(Entry(i));
    Insert(entries);
  }
  ArchivePage Query(ArchiveQuery query) {
    return Ask([&] { return archives_->Query(juliet_, query); });
  }
  static Numbers NumbersOf(const std::vector<ArchiveRow>& rows) {
    Numbers numbers;
    for (const ArchiveRow& row : rows) numbers.push_back(std::stoi(row.effect));
    return numbers;
  }
  Numbers Find(ArchiveQuery query) { return NumbersOf(Query(std::move(query)).rows); }
  Numbers Unconfirmed(int64_t position = 0) {
    return NumbersOf(Ask([&] { return archives_->Unconfirmed(juliet_, position, 100); }));
  }
  ArchiveState State() {
    return Ask([&] { return archives_->State(juliet_); });
  }
  uint32_t Raise(int64_t position) {
    const std::vector<ArchiveMark> marks = {{.owner = juliet_, .position = position}};
    return Ask([&] { return archives_->RaiseMarks(marks); });
  }
  uint32_t Sweep(int64_t before_ms, uint32_t limit) {
    return Ask([&] { return archives_->Sweep(before_ms, limit); });
  }

  const xmpp::BareJid juliet_ = Bare("juliet@example.com");
  const xmpp::BareJid romeo_ = Bare("romeo@example.net");
  std::unique_ptr<ArchiveStore> archives_;
};

// ---- inserting ----

TEST_P(ArchiveContract, KeepsEverythingOfARow) {
  ArchiveEntry entry = Entry(7);
  entry.direction = ArchiveDirection::kOutgoing;
  entry.flags = kCallersFlags * 3;
  entry.bytes = std::string("<message>\0</message>", 20);
  entry.body = "what light";
  entry.origin = std::string("session\0\xff", 9);
  const ArchivePlace place = InsertOne(entry);
  EXPECT_EQ(place.outcome, Outcome::kDone);
  EXPECT_EQ(place.position, 1);
  EXPECT_EQ(place.stamp_ms, 8000);
  const ArchivePage page = Query({});
  ASSERT_EQ(page.rows.size(), 1u);
  const ArchiveRow& row = page.rows[0];
  EXPECT_EQ(row.position, 1);
  EXPECT_EQ(row.stamp_ms, 8000);
  EXPECT_EQ(row.effect, entry.effect);
  EXPECT_EQ(row.id(), IdOf(7));
  EXPECT_EQ(row.with, entry.with);
  EXPECT_EQ(row.direction, ArchiveDirection::kOutgoing);
  EXPECT_EQ(row.flags, entry.flags);
  EXPECT_EQ(row.bytes, entry.bytes);
  EXPECT_EQ(row.origin, entry.origin);
  EXPECT_EQ(row.origin_id, "o7");
  EXPECT_FALSE(row.hidden);
}

// R12: clocks may jump.
TEST_P(ArchiveContract, GivesPositionsInOrderAndStampsThatNeverGoBack) {
  std::vector<ArchiveEntry> entries = {Entry(1), Entry(2), Entry(3)};
  entries[0].stamp_ms = 5000;
  entries[1].stamp_ms = 4000;  // the clock was set back
  entries[2].stamp_ms = 6000;
  const auto places = Insert(entries);
  EXPECT_EQ(places[0].position, 1);
  EXPECT_EQ(places[1].position, 2);
  EXPECT_EQ(places[2].position, 3);
  EXPECT_EQ(places[1].stamp_ms, 5000);
  EXPECT_EQ(places[2].stamp_ms, 6000);
  ArchiveEntry now = Entry(4);
  now.stamp_ms = 0;
  EXPECT_GT(InsertOne(now).stamp_ms, 1700000000000);
}

TEST_P(ArchiveContract, PutsOneMessageIntoBothArchivesAtOnce) {
  ArchiveEntry sent = Entry(1), received = Entry(1, "juliet@example.com/balcony");
  sent.direction = ArchiveDirection::kOutgoing;
  received.owner = romeo_;
  received.effect = Effect(1, 1);
  const auto places = Insert({sent, received});
  EXPECT_EQ(places[0].outcome, Outcome::kDone);
  EXPECT_EQ(places[1].outcome, Outcome::kDone);
  EXPECT_EQ(Find({}), Numbers{1});
  const auto other = Ask([&] { return archives_->Query(romeo_, {}); });
  ASSERT_EQ(other.rows.size(), 1u);
  EXPECT_EQ(other.rows[0].with.ToString(), "juliet@example.com/balcony");
  EXPECT_EQ(other.rows[0].id(), IdOf(1));
}

// I2.
TEST_P(ArchiveContract, RecognisesARepeatAndSaysWhereItIs) {
  Fill(3);
  ArchiveEntry again = Entry(1);
  again.stamp_ms = 99000;
  again.bytes = "other";
  const ArchivePlace place = InsertOne(again);
  EXPECT_EQ(place.outcome, Outcome::kRepeated);
  EXPECT_EQ(place.position, 2);
  EXPECT_EQ(place.stamp_ms, 2000);
  EXPECT_EQ(State().position, 3);
  EXPECT_EQ(InsertOne(Entry(3)).position, 4);
  // Half of an operation that was done in another half.
  ArchiveEntry other = Entry(1);
  other.owner = romeo_;
  const auto places = Insert({Entry(1), other});
  EXPECT_EQ(places[0].outcome, Outcome::kRepeated);
  EXPECT_EQ(places[1].outcome, Outcome::kDone);
}

TEST_P(ArchiveContract, InsertsForOwnersOnlyAndForTheOthersAllTheSame) {
  ArchiveEntry nobodys = Entry(1);
  nobodys.owner = AnyJid("nobody@example.com");
  const auto places = Insert({nobodys, Entry(1)});
  EXPECT_EQ(places[0].outcome, Outcome::kNoOwner);
  EXPECT_EQ(places[1].outcome, Outcome::kDone);
}

// I2, I9: every row once, in one order, whoever wrote it.
TEST_P(ArchiveContract, GivesEachPositionOnceToTwoServersThatInsert) {
  auto other_store = Open();
  auto other = other_store->Archives(&loop());
  std::vector<std::future<runtime::Result<std::vector<ArchivePlace>>>> inserts;
  constexpr int kMessages = 150;
  for (int i = 0; i < kMessages; ++i) {
    // Each message by both: a manager that lost its link submits it to the next server.
    for (ArchiveStore* store : {archives_.get(), other.get()}) {
      inserts.push_back(StartOn(loop(), [this, store, i] {
        ArchiveEntry sent = Entry(i), received = Entry(i);
        received.owner = romeo_;
        std::vector<ArchiveEntry> entries = {sent, received};
        return store->Insert(std::move(entries));
      }));
    }
  }
  std::map<int64_t, int> done;
  for (size_t i = 0; i < inserts.size(); ++i) {
    const auto places = inserts[i].get();
    ASSERT_TRUE(places) << places.error().message;
    for (const ArchivePlace& place : *places) {
      EXPECT_GT(place.position, 0);
      EXPECT_LE(place.position, kMessages);
    }
    if (places->at(0).outcome == Outcome::kDone) ++done[places->at(0).position];
  }
  EXPECT_EQ(done.size(), static_cast<size_t>(kMessages));
  const ArchivePage page = Query({.max = 250});
  ASSERT_EQ(page.rows.size(), static_cast<size_t>(kMessages));
  for (size_t i = 1; i < page.rows.size(); ++i) {
    EXPECT_EQ(page.rows[i].position, page.rows[i - 1].position + 1);
    EXPECT_GE(page.rows[i].stamp_ms, page.rows[i - 1].stamp_ms);
  }
  other.reset();
  other_store.reset();
}

// ---- pages ----

TEST_P(ArchiveContract, WalksForwardByAfter) {
  Fill(7);
  ArchivePage page = Query({.max = 3});
  EXPECT_EQ(NumbersOf(page.rows), (Numbers{0, 1, 2}));
  EXPECT_FALSE(page.complete);
  page = Query({.anchor = page.rows.back().id(), .max = 3});
  EXPECT_EQ(NumbersOf(page.rows), (Numbers{3, 4, 5}));
  EXPECT_FALSE(page.complete);
  page = Query({.anchor = page.rows.back().id(), .max = 3});
  EXPECT_EQ(NumbersOf(page.rows), Numbers{6});
  EXPECT_TRUE(page.complete);
  page = Query({.anchor = page.rows.back().id(), .max = 3});
  EXPECT_TRUE(page.rows.empty());
  EXPECT_TRUE(page.complete);
  EXPECT_TRUE(Query({.max = 7}).complete);
}

TEST_P(ArchiveContract, WalksBackwardByBeforeInArchiveOrder) {
  Fill(7);
  ArchivePage page = Query({.backward = true, .max = 3});
  EXPECT_EQ(NumbersOf(page.rows), (Numbers{4, 5, 6}));
  EXPECT_FALSE(page.complete);
  page = Query({.backward = true, .anchor = page.rows.front().id(), .max = 3});
  EXPECT_EQ(NumbersOf(page.rows), (Numbers{1, 2, 3}));
  page = Query({.backward = true, .anchor = page.rows.front().id(), .max = 3});
  EXPECT_EQ(NumbersOf(page.rows), Numbers{0});
  EXPECT_TRUE(page.complete);
}

TEST_P(ArchiveContract, FlipsAPageAndNotWhatIsInIt) {
  Fill(7);
  EXPECT_EQ(Find({.max = 3, .flip = true}), (Numbers{2, 1, 0}));
  EXPECT_EQ(Find({.backward = true, .max = 3, .flip = true}), (Numbers{6, 5, 4}));
}

// I9.
TEST_P(ArchiveContract, SkipsNothingAndRepeatsNothingWhileMessagesArrive) {
  Fill(10);
  Numbers seen;
  std::optional<ArchiveId> anchor;
  int next = 10;
  while (true) {
    const ArchivePage page = Query({.anchor = anchor, .max = 3});
    for (const int number : NumbersOf(page.rows)) seen.push_back(number);
    if (!page.rows.empty()) anchor = page.rows.back().id();
    if (next < 16) {
      // With a clock that was set back.
      ArchiveEntry entry = Entry(next++);
      entry.stamp_ms = 1;
      InsertOne(entry);
    } else if (page.complete) {
      break;
    }
  }
  Numbers all(16);
  for (int i = 0; i < 16; ++i) all[static_cast<size_t>(i)] = i;
  EXPECT_EQ(seen, all);
}

TEST_P(ArchiveContract, CountsWhatPassesTheFiltersWhereverThePageIs) {
  Fill(7);
  InsertOne(Entry(7, "nurse@example.com"));
  ArchivePage page = Query({.max = 0, .count_up_to = 100});
  EXPECT_EQ(page.count, 8u);
  EXPECT_TRUE(page.rows.empty());
  EXPECT_EQ(Query({.anchor = IdOf(3), .max = 2, .count_up_to = 8}).count, 8u);
  EXPECT_EQ(Query({.with = romeo_, .max = 2, .count_up_to = 8}).count, 7u);
  EXPECT_EQ(Query({.count_up_to = 7}).count, std::nullopt);
  EXPECT_EQ(Query({}).count, std::nullopt);
}

TEST_P(ArchiveContract, RefusesPagesThatAreTooLong) {
  Fill(1);
  ArchiveQuery query;
  query.max = kArchivePage + 1;
  EXPECT_FALSE(RunOn(loop(), [&] { return archives_->Query(juliet_, query); }));
  query.max = kArchivePage;
  EXPECT_TRUE(RunOn(loop(), [&] { return archives_->Query(juliet_, query); }));
  query.ids.assign(kArchivePage + 1, IdOf(0));
  EXPECT_FALSE(RunOn(loop(), [&] { return archives_->Query(juliet_, query); }));
}

TEST_P(ArchiveContract, FindsNothingInAnArchiveThatIsEmpty) {
  const ArchivePage page = Query({.count_up_to = 5});
  EXPECT_TRUE(page.rows.empty());
  EXPECT_TRUE(page.complete);
  EXPECT_EQ(page.count, 0u);
  EXPECT_TRUE(Query({.anchor = IdOf(1)}).item_not_found);
  const ArchiveEnds ends = Ask([&] { return archives_->Ends(juliet_); });
  EXPECT_FALSE(ends.first);
  EXPECT_FALSE(ends.last);
}

// ---- filters ----

TEST_P(ArchiveContract, FiltersByTimeWithBothEnds) {
  Fill(7);  // stamps 1000 … 7000
  EXPECT_EQ(Find({.start_ms = 3000}), (Numbers{2, 3, 4, 5, 6}));
  EXPECT_EQ(Find({.start_ms = 3001}), (Numbers{3, 4, 5, 6}));
  EXPECT_EQ(Find({.end_ms = 3000}), (Numbers{0, 1, 2}));
  EXPECT_EQ(Find({.end_ms = 2999}), (Numbers{0, 1}));
  EXPECT_EQ(Find({.start_ms = 2000, .end_ms = 4000}), (Numbers{1, 2, 3}));
  EXPECT_EQ(Find({.start_ms = 4000, .end_ms = 2000}), Numbers{});
  EXPECT_EQ(Find({.start_ms = 8000}), Numbers{});
  EXPECT_EQ(Find({.end_ms = 1}), Numbers{});
  EXPECT_EQ(Find({.start_ms = INT64_MIN, .end_ms = INT64_MAX}).size(), 7u);
  EXPECT_EQ(Find({.start_ms = 3000, .backward = true, .max = 2}), (Numbers{5, 6}));
  EXPECT_EQ(Query({.start_ms = 3000, .max = 0, .count_up_to = 9}).count, 5u);
}

TEST_P(ArchiveContract, FiltersByContactBareAndFull) {
  Insert({Entry(0, "romeo@example.net/orchard"), Entry(1, "nurse@example.com/hall"),
          Entry(2, "romeo@example.net"), Entry(3, "romeo@example.net/street"),
          Entry(4, "example.net"), Entry(5, "romeo@example.net/orchard"),
          Entry(6, "romeo@example.netx/orchard")});
  EXPECT_EQ(Find({.with = romeo_}), (Numbers{0, 2, 3, 5}));
  EXPECT_EQ(Find({.with = AnyJid("romeo@example.net/orchard")}), (Numbers{0, 5}));
  EXPECT_EQ(Find({.with = AnyJid("example.net")}), Numbers{4});
  EXPECT_EQ(Find({.with = AnyJid("nobody@example.net")}), Numbers{});
  EXPECT_EQ(Find({.with = romeo_, .start_ms = 2000, .backward = true, .max = 2}), (Numbers{3, 5}));
  EXPECT_EQ(Find({.with = romeo_, .anchor = IdOf(1), .max = 2}), (Numbers{2, 3}));
  EXPECT_EQ(Query({.with = AnyJid("romeo@example.net/orchard"), .count_up_to = 9}).count, 2u);
}

TEST_P(ArchiveContract, FiltersByIdsAndByRangesOfIds) {
  Fill(7);
  EXPECT_EQ(Find({.ids = {IdOf(5), IdOf(1), IdOf(5)}}), (Numbers{1, 5}));
  EXPECT_EQ(Find({.start_ms = 3000, .ids = {IdOf(5), IdOf(1)}}), Numbers{5});
  EXPECT_EQ(Find({.with = AnyJid("nurse@example.com"), .ids = {IdOf(5)}}), Numbers{});
  EXPECT_EQ(Find({.after_id = IdOf(2)}), (Numbers{3, 4, 5, 6}));
  EXPECT_EQ(Find({.before_id = IdOf(2)}), (Numbers{0, 1}));
  EXPECT_EQ(Find({.after_id = IdOf(1), .before_id = IdOf(5), .backward = true, .max = 2}),
            (Numbers{3, 4}));
  const std::vector<ArchiveId> ids = {IdOf(6), IdOf(0), IdOf(3), IdOf(4)};
  ArchivePage page = Query({.ids = ids, .max = 2, .count_up_to = 9});
  EXPECT_EQ(NumbersOf(page.rows), (Numbers{0, 3}));
  EXPECT_FALSE(page.complete);
  EXPECT_EQ(page.count, 4u);
  page = Query({.ids = ids, .anchor = IdOf(3), .max = 2});
  EXPECT_EQ(NumbersOf(page.rows), (Numbers{4, 6}));
  EXPECT_TRUE(page.complete);
  EXPECT_EQ(Find({.ids = ids, .backward = true, .max = 2, .flip = true}), (Numbers{6, 4}));
}

TEST_P(ArchiveContract, SaysWhenAnIdNamesNothing) {
  Fill(3);
  ArchiveEntry others = Entry(50);
  others.owner = romeo_;
  InsertOne(others);
  EXPECT_TRUE(Query({.anchor = IdOf(99)}).item_not_found);
  EXPECT_TRUE(Query({.backward = true, .anchor = IdOf(99)}).item_not_found);
  EXPECT_TRUE(Query({.after_id = IdOf(99)}).item_not_found);
  EXPECT_TRUE(Query({.before_id = IdOf(99)}).item_not_found);
  EXPECT_TRUE(Query({.ids = {IdOf(1), IdOf(99)}}).item_not_found);
  EXPECT_TRUE(Query({.anchor = IdOf(50)}).item_not_found) << "somebody else's";
  EXPECT_TRUE(Query({.anchor = "' OR 1=1 --"}).item_not_found);
  EXPECT_FALSE(Query({.anchor = IdOf(1)}).item_not_found);
}

TEST_P(ArchiveContract, SearchesForWords) {
  std::vector<ArchiveEntry> entries;
  const char* const bodies[] = {"But soft, what light through yonder window breaks?",
                                "It is the EAST, and Juliet is the sun",
                                "Übermütig süße Nacht",
                                "",
                                "light, more light",
                                "a \"quoted\" AND NOT (operators) light*"};
  for (int i = 0; i < 6; ++i) {
    entries.push_back(Entry(i, i % 2 == 0 ? "romeo@example.net/a" : "nurse@example.com/b"));
    entries.back().body = bodies[i];
  }
  Insert(entries);
  ArchiveEntry others = Entry(60);
  others.owner = romeo_;
  others.body = "light of another archive";
  InsertOne(others);

  EXPECT_EQ(Find({.text = "light"}), (Numbers{0, 4, 5}));
  EXPECT_EQ(Find({.text = "east"}), Numbers{1});
  EXPECT_EQ(Find({.text = " WINDOW\tlight "}), Numbers{0});
  EXPECT_EQ(Find({.text = "ubermutig"}), Numbers{2});
  EXPECT_EQ(Find({.text = "nothing"}), Numbers{});
  EXPECT_EQ(Find({.text = "   "}), Numbers{});
  EXPECT_EQ(Find({.with = romeo_, .text = "light"}), (Numbers{0, 4}));
  EXPECT_EQ(Find({.with = AnyJid("romeo@example.net/a"), .text = "light"}), (Numbers{0, 4}));
  EXPECT_EQ(Find({.with = AnyJid("romeo@example.net/b"), .text = "light"}), Numbers{});
  EXPECT_EQ(Find({.with = AnyJid("example.net"), .text = "light"}), Numbers{});
  EXPECT_EQ(Find({.text = "romeo"}), Numbers{}) << "bodies only";
  EXPECT_EQ(Find({.start_ms = 2000, .text = "light"}), (Numbers{4, 5}));
  EXPECT_EQ(Find({.text = "light", .backward = true, .max = 2}), (Numbers{4, 5}));
  EXPECT_EQ(Query({.text = "light", .anchor = IdOf(0), .max = 1, .count_up_to = 9}).count, 3u);
  EXPECT_EQ(Find({.text = "light", .anchor = IdOf(0), .max = 1}), Numbers{4});
  EXPECT_EQ(Find({.ids = {IdOf(0), IdOf(1)}, .text = "light"}), Numbers{0});
  // What means something to a search engine means nothing here.
  for (const char* text : {"\"", "\"quoted\"", "AND", "NOT", "(operators)", "light*", "body:light",
                           "-light", "^but", "NEAR(a b)", "'; DROP TABLE archive_row; --"}) {
    Query({.text = text});
  }
  EXPECT_EQ(Find({.text = "\"quoted\" AND"}), Numbers{5});
  EXPECT_EQ(Find({.text = "light & ( moon"}), Numbers{});
  EXPECT_EQ(Find({.text = "light & (operators"}), Numbers{5});

  // Later messages are found at once.
  ArchiveEntry late = Entry(10);
  late.body = "late light";
  InsertOne(late);
  EXPECT_EQ(Find({.text = "light"}), (Numbers{0, 4, 5, 10}));
}

TEST_P(ArchiveContract, IndexesALongArchiveWhenItIsSearched) {
  std::vector<ArchiveEntry> entries;
  for (int i = 0; i < 1700; ++i) {
    entries.push_back(Entry(i));
    entries.back().body = i % 100 == 99 ? "needle " + std::to_string(i) : "hay";
  }
  Insert(entries);
  EXPECT_EQ(Find({.text = "needle"}).size(), 17u);
  EXPECT_EQ(Query({.text = "hay", .max = 0, .count_up_to = 5000}).count, 1683u);
}

// ---- hidden rows, the mark ----

TEST_P(ArchiveContract, AnswersNoQueryWithHiddenRows) {
  std::vector<ArchiveEntry> entries = {Entry(0), Entry(1), Entry(2)};
  for (ArchiveEntry& entry : entries) entry.body = "word";
  entries[0].hidden = entries[2].hidden = true;
  Insert(entries);
  EXPECT_EQ(Find({}), Numbers{1});
  EXPECT_EQ(Find({.with = romeo_}), Numbers{1});
  EXPECT_EQ(Find({.text = "word"}), Numbers{1});
  EXPECT_EQ(Query({.count_up_to = 9}).count, 1u);
  EXPECT_TRUE(Query({.anchor = IdOf(0)}).item_not_found);
  EXPECT_TRUE(Query({.ids = {IdOf(0)}}).item_not_found);
  const ArchiveEnds ends = Ask([&] { return archives_->Ends(juliet_); });
  EXPECT_EQ(ends.first->id, IdOf(1));
  EXPECT_EQ(ends.last->id, IdOf(1));
  EXPECT_EQ(Unconfirmed(), (Numbers{0, 1, 2}));
}

TEST_P(ArchiveContract, TellsFirstAndLast) {
  Fill(5);
  const ArchiveEnds ends = Ask([&] { return archives_->Ends(juliet_); });
  EXPECT_EQ(ends.first->id, IdOf(0));
  EXPECT_EQ(ends.first->stamp_ms, 1000);
  EXPECT_EQ(ends.last->id, IdOf(4));
  EXPECT_EQ(ends.last->stamp_ms, 5000);
}

TEST_P(ArchiveContract, DeliversAgainWhatIsBehindTheMark) {
  std::vector<ArchiveEntry> entries = {Entry(0), Entry(1), Entry(2), Entry(3), Entry(4)};
  entries[1].hidden = true;
  entries[2].direction = ArchiveDirection::kOutgoing;
  entries[3].hidden = true;
  Insert(entries);
  EXPECT_EQ(State().mark, 0);
  EXPECT_EQ(State().position, 5);
  EXPECT_EQ(Unconfirmed(), (Numbers{0, 1, 3, 4}));
  EXPECT_EQ(Unconfirmed(2), (Numbers{3, 4}));
  EXPECT_EQ(Raise(2), 1u);
  EXPECT_EQ(State().mark, 2);
  EXPECT_EQ(Unconfirmed(State().mark), (Numbers{3, 4}));
  EXPECT_EQ(Raise(1), 0u);
  EXPECT_EQ(State().mark, 2);
  EXPECT_EQ(Raise(1000), 1u);
  EXPECT_EQ(State().mark, 5);
  EXPECT_TRUE(Unconfirmed(State().mark).empty());
  EXPECT_EQ(Unconfirmed(), (Numbers{0, 4}));
  EXPECT_EQ(Find({}), (Numbers{0, 2, 4}));
}

TEST_P(ArchiveContract, MovesTheMarkPastWhatTheAccountSends) {
  std::vector<ArchiveEntry> entries = {Entry(0), Entry(1), Entry(2), Entry(3)};
  for (ArchiveEntry& entry : entries) entry.direction = ArchiveDirection::kOutgoing;
  entries[2].direction = ArchiveDirection::kIncoming;
  Insert(entries);
  EXPECT_EQ(State().mark, 2);
  EXPECT_EQ(Unconfirmed(State().mark), Numbers{2});
  Raise(4);
  InsertOne(entries[0]);  // a repeat moves nothing
  EXPECT_EQ(State().mark, 4);
}

TEST_P(ArchiveContract, RaisesManyMarksAtOnce) {
  Fill(3);
  ArchiveEntry others = Entry(1);
  others.owner = romeo_;
  InsertOne(others);
  const std::vector<ArchiveMark> marks = {{.owner = AnyJid("nobody@example.com"), .position = 4},
                                          {.owner = romeo_, .position = 1},
                                          {.owner = juliet_, .position = 2}};
  Ask([&] { return archives_->RaiseMarks(marks); });
  EXPECT_EQ(State().mark, 2);
  EXPECT_EQ(Ask([&] { return archives_->State(romeo_); }).mark, 1);
}

// ---- retraction ----

TEST_P(ArchiveContract, FindsARowByWhatItsSenderCalledIt) {
  std::vector<ArchiveEntry> entries = {Entry(0), Entry(1), Entry(2), Entry(3, "nurse@example.com")};
  for (ArchiveEntry& entry : entries) entry.origin_id = "same";
  entries[1].direction = ArchiveDirection::kOutgoing;
  Insert(entries);
  const auto find = [&](const xmpp::Jid& with, ArchiveDirection direction,
                        const std::string& origin_id) {
    return Ask([&] { return archives_->FindByOriginId(juliet_, with, direction, origin_id); });
  };
  EXPECT_EQ(find(romeo_, ArchiveDirection::kIncoming, "same")->position, 3) << "the newest";
  EXPECT_EQ(find(romeo_, ArchiveDirection::kOutgoing, "same")->position, 2);
  EXPECT_EQ(find(AnyJid("nurse@example.com/any"), ArchiveDirection::kIncoming, "same")->position,
            4);
  EXPECT_FALSE(find(romeo_, ArchiveDirection::kIncoming, "other"));
}

TEST_P(ArchiveContract, LeavesATombstoneInPlaceOfAMessage) {
  std::vector<ArchiveEntry> entries = {Entry(0), Entry(1), Entry(2)};
  for (ArchiveEntry& entry : entries) entry.body = "secret";
  Insert(entries);
  EXPECT_EQ(Find({.text = "secret"}).size(), 3u);  // indexed before
  const auto replace = [&](int number) {
    return Ask([&] { return archives_->Replace(juliet_, IdOf(number), "<retracted/>"); });
  };
  EXPECT_EQ(replace(1), ArchiveStore::Change::kDone);
  EXPECT_EQ(replace(1), ArchiveStore::Change::kDone);  // a repeat
  EXPECT_EQ(replace(99), ArchiveStore::Change::kMissing);
  const ArchivePage page = Query({});
  ASSERT_EQ(page.rows.size(), 3u);
  EXPECT_EQ(page.rows[1].bytes, "<retracted/>");
  EXPECT_EQ(page.rows[1].position, 2);
  EXPECT_EQ(page.rows[1].id(), IdOf(1));
  EXPECT_EQ(page.rows[1].flags & kArchiveTombstone, kArchiveTombstone);
  EXPECT_EQ(page.rows[0].flags & kArchiveTombstone, 0u);
  EXPECT_EQ(Find({.text = "secret"}), (Numbers{0, 2}));
  EXPECT_EQ(Find({.anchor = IdOf(1)}), Numbers{2});
  EXPECT_EQ(Unconfirmed(), (Numbers{0, 2}));
  // Before it was indexed, too.
  ArchiveEntry late = Entry(5);
  late.body = "secret";
  InsertOne(late);
  EXPECT_EQ(replace(5), ArchiveStore::Change::kDone);
  EXPECT_EQ(Find({.text = "secret"}), (Numbers{0, 2}));
}

// ---- preferences ----

TEST_P(ArchiveContract, KeepsPreferences) {
  const auto read = [&] { return Ask([&] { return archives_->Preferences(juliet_); }); };
  EXPECT_FALSE(read());
  ArchivePreferences wanted{.otherwise = ArchivePreferences::Otherwise::kRoster,
                            .always = {AnyJid("romeo@example.net")},
                            .never = {AnyJid("paris@example.org"), AnyJid("example.org/x")}};
  EXPECT_EQ(Ask([&] { return archives_->SetPreferences(juliet_, wanted); }),
            ArchiveStore::Put::kDone);
  EXPECT_EQ(read(), wanted);
  wanted.always.clear();
  wanted.otherwise = ArchivePreferences::Otherwise::kNever;
  Ask([&] { return archives_->SetPreferences(juliet_, wanted); });
  EXPECT_EQ(read(), wanted);
  EXPECT_EQ(Ask([&] { return archives_->SetPreferences(AnyJid("nobody@example.com"), wanted); }),
            ArchiveStore::Put::kNoOwner);
}

// ---- erasing ----

TEST_P(ArchiveContract, ErasesAtOnceAndSweepsLater) {
  std::vector<ArchiveEntry> entries;
  for (int i = 0; i < 25; ++i) {
    entries.push_back(Entry(i));
    entries.back().body = "word";
  }
  Insert(entries);
  EXPECT_EQ(Find({.text = "word"}).size(), 25u);
  Raise(3);
  EXPECT_EQ(Sweep(0, 100), 0u);
  EXPECT_EQ(Ask([&] { return archives_->Erase(juliet_); }), ArchiveStore::Change::kDone);
  EXPECT_TRUE(Find({}).empty());
  EXPECT_TRUE(Find({.text = "word"}).empty());
  EXPECT_EQ(State().mark, 3);
  // Positions go on: nobody who walks is led astray.
  ArchiveEntry next = Entry(30);
  next.body = "word";
  EXPECT_EQ(InsertOne(next).position, 26);
  EXPECT_EQ(Find({.text = "word"}), Numbers{30});
  EXPECT_EQ(Sweep(0, 10), 10u);
  EXPECT_EQ(Sweep(0, 10), 10u);
  EXPECT_EQ(Sweep(0, 10), 5u);
  EXPECT_EQ(Sweep(0, 10), 0u);
  EXPECT_EQ(Find({}), Numbers{30});
  EXPECT_EQ(Ask([&] { return archives_->Erase(AnyJid("nobody@example.com")); }),
            ArchiveStore::Change::kMissing);
}

TEST_P(ArchiveContract, SweepsWhatIsOldInEveryArchive) {
  Fill(10);  // stamps 1000 … 10000
  ArchiveEntry others = Entry(2), recent = Entry(20);
  others.owner = recent.owner = romeo_;
  Insert({others, recent});
  EXPECT_EQ(Sweep(4000, 2), 2u);
  EXPECT_EQ(Sweep(4000, 100), 2u);
  EXPECT_EQ(Sweep(4000, 100), 0u);
  EXPECT_EQ(Find({}), (Numbers{3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(NumbersOf(Ask([&] { return archives_->Query(romeo_, {}); }).rows), Numbers{20});
  EXPECT_EQ(Find({.start_ms = 1}).size(), 7u);
  EXPECT_TRUE(Query({.anchor = IdOf(2)}).item_not_found);
  EXPECT_EQ(Sweep(INT64_MAX, 100), 8u);
  EXPECT_TRUE(Find({}).empty());
  EXPECT_EQ(InsertOne(Entry(11)).position, 11);
  EXPECT_EQ(Sweep(INT64_MAX, 100), 1u);
}

TEST_P(ArchiveContract, GivesALaterAccountOfTheNameNothingOfTheFormer) {
  Fill(5);
  Raise(2);
  Ask([&] { return archives_->SetPreferences(juliet_, {}); });
  RemoveAccount("juliet@example.com");
  EXPECT_TRUE(Find({}).empty());
  EXPECT_EQ(InsertOne(Entry(6)).outcome, Outcome::kNoOwner);
  AddAccount("juliet@example.com");
  EXPECT_TRUE(Find({}).empty());
  EXPECT_FALSE(Ask([&] { return archives_->Preferences(juliet_); }));
  EXPECT_EQ(State().mark, 0);
  EXPECT_EQ(InsertOne(Entry(1)).outcome, Outcome::kDone);
  EXPECT_EQ(Sweep(0, 100), 5u);
  EXPECT_EQ(Find({}), Numbers{1});
}

}  // namespace business
