// What every engine of AccountDataStore must do.
#pragma once

#include "tests/business/store/store_contract.h"

namespace business {

class AccountDataContract : public EngineContract {
 protected:
  using Outcome = DataChanged::Outcome;
  using Entries = std::vector<DataEntry>;

  void SetUp() override {
    EngineContract::SetUp();
    AddAccount("juliet@example.com");
    data_ = store_->AccountData(&loop());
  }
  void TearDown() override {
    data_.reset();
    EngineContract::TearDown();
  }
  DataChanged Change(DataChange change, DataType type = DataType::kBlockList) {
    return Ask([&] { return data_->Change(juliet_, type, change); });
  }
  DataChanged Put(const std::string& key, const std::string& value) {
    return Change({.put = {{key, value}}});
  }
  DataCollection List(DataType type = DataType::kBlockList) {
    return Ask([&] { return data_->List(juliet_, type); });
  }
  std::optional<std::string> Find(const std::string& key, DataType type = DataType::kBlockList) {
    return Ask([&] { return data_->Find(juliet_, type, key); });
  }

  const xmpp::BareJid juliet_ = Bare("juliet@example.com");
  std::unique_ptr<AccountDataStore> data_;
};

TEST_P(AccountDataContract, KeepsCollectionsApartByTypeAndOwner) {
  AddAccount("romeo@example.net");
  Change({.put = {{"", std::string("<vCard>\0</vCard>", 16)}}}, DataType::kVcard);
  Change({.put = {{"urn:x x", "<x/>"}, {"'; --", ""}}}, DataType::kPrivateXml);
  EXPECT_EQ(Find("", DataType::kVcard), std::string("<vCard>\0</vCard>", 16));
  EXPECT_EQ(Find("", DataType::kPrivateXml), std::nullopt);
  EXPECT_EQ(Find("'; --", DataType::kPrivateXml), "");
  EXPECT_EQ(List(DataType::kPrivateXml).entries, (Entries{{"'; --", ""}, {"urn:x x", "<x/>"}}));
  EXPECT_TRUE(List().entries.empty());
  EXPECT_EQ(List().version, 0);
  EXPECT_FALSE(Ask([&] { return data_->Find(Bare("romeo@example.net"), DataType::kVcard, ""); }));
}

TEST_P(AccountDataContract, KeepsEveryTypeUnderANameOfItsOwn) {
  const DataType types[] = {DataType::kPrivateXml, DataType::kVcard,        DataType::kBlockList,
                            DataType::kPush,       DataType::kLastActivity, DataType::kInvitations,
                            DataType::kTokens};
  for (const DataType type : types) {
    Change({.put = {{"key", std::to_string(static_cast<int>(type))}}}, type);
  }
  for (const DataType type : types) {
    EXPECT_EQ(Find("key", type), std::to_string(static_cast<int>(type)));
  }
}

TEST_P(AccountDataContract, MakesAChangeInOneTransactionAndRaisesTheVersionOnce) {
  EXPECT_EQ(Put("a", "1").version, 1);
  const DataChanged changed = Change({.remove = {"a", "nothing"}, .put = {{"b", "2"}, {"c", "3"}}});
  EXPECT_EQ(changed.outcome, Outcome::kDone);
  EXPECT_EQ(changed.version, 2);
  EXPECT_EQ(changed.removed, 1u);
  EXPECT_TRUE(changed.changed);
  EXPECT_EQ(List().version, 2);
  EXPECT_EQ(List().entries, (Entries{{"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(Change({.clear = true, .put = {{"d", ""}}}).removed, 2u);
  EXPECT_EQ(List().entries, (Entries{{"d", ""}}));
}

TEST_P(AccountDataContract, ChangesNothingASecondTime) {
  Put("a", "1");
  const DataChanged again = Put("a", "1");
  EXPECT_EQ(again.outcome, Outcome::kDone);
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(again.version, 1);
  EXPECT_FALSE(Change({.remove = {"b"}}).changed);
  EXPECT_EQ(List().version, 1);
  EXPECT_TRUE(Put("a", "2").changed);
}

TEST_P(AccountDataContract, RefusesWhatWasDecidedOnAnOlderVersion) {
  Put("a", "1");
  EXPECT_EQ(Change({.put = {{"a", "2"}}, .expected_version = 0}).outcome, Outcome::kConflict);
  EXPECT_EQ(Find("a"), "1");
  EXPECT_EQ(Change({.put = {{"a", "2"}}, .expected_version = 1}).outcome, Outcome::kDone);
  EXPECT_EQ(Change({.put = {{"a", "3"}}, .expected_version = 1}).outcome, Outcome::kConflict);
  EXPECT_EQ(Change({.expected_version = 1}).version, 2) << "told which it is";
}

TEST_P(AccountDataContract, IsFullByCountAndByBytesAndMayShrink) {
  EXPECT_EQ(Change({.put = {{"a", "1"}, {"b", "2"}}, .max_entries = 2}).outcome, Outcome::kDone);
  EXPECT_EQ(Change({.put = {{"a", "x"}, {"c", "3"}}, .max_entries = 2}).outcome, Outcome::kFull);
  EXPECT_EQ(List().entries, (Entries{{"a", "1"}, {"b", "2"}})) << "all of it undone";
  EXPECT_EQ(List().version, 1);
  EXPECT_EQ(Change({.remove = {"a"}, .put = {{"c", "3"}}, .max_entries = 2}).outcome,
            Outcome::kDone);
  EXPECT_EQ(Change({.put = {{"c", "12345"}}, .max_bytes = 7}).outcome, Outcome::kFull);
  EXPECT_EQ(Change({.put = {{"c", "1234"}}, .max_bytes = 7}).outcome, Outcome::kDone);
  EXPECT_EQ(Change({.remove = {"b"}, .max_entries = 0, .max_bytes = 0}).outcome, Outcome::kDone);
}

TEST_P(AccountDataContract, WritesNothingForWhoIsNoOwnerAndLosesAllWithTheAccount) {
  const DataChange change{.put = {{"a", "1"}}};
  EXPECT_EQ(Ask([&] {
              return data_->Change(AnyJid("nobody@example.com"), DataType::kVcard, change);
            }).outcome,
            Outcome::kNoOwner);
  Put("a", "1");
  RemoveAccount("juliet@example.com");
  EXPECT_TRUE(List().entries.empty());
  AddAccount("juliet@example.com");
  EXPECT_TRUE(List().entries.empty());
  EXPECT_EQ(List().version, 0);
}

TEST_P(AccountDataContract, LetsOneOfTwoServersWinAVersion) {
  auto other_store = Open();
  auto other = other_store->AccountData(&loop());
  std::vector<std::future<runtime::Result<DataChanged>>> changes;
  for (int i = 0; i < 40; ++i) {
    AccountDataStore* store = i % 2 == 0 ? data_.get() : other.get();
    changes.push_back(StartOn(loop(), [this, store, i] {
      DataChange change{.put = {{std::to_string(i), ""}}, .expected_version = 0};
      return store->Change(juliet_, DataType::kPush, std::move(change));
    }));
  }
  int won = 0;
  for (auto& change : changes) {
    const auto result = change.get();
    ASSERT_TRUE(result) << result.error().message;
    if (result->outcome == Outcome::kDone) ++won;
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(List(DataType::kPush).entries.size(), 1u);
  other.reset();
  other_store.reset();
}

}  // namespace business
