// What every engine of OfflineStore must do.
#pragma once

#include <set>

#include "tests/business/store/store_contract.h"

namespace business {

class OfflineContract : public EngineContract {
 protected:
  using Append = OfflineStore::Append;

  void SetUp() override {
    EngineContract::SetUp();
    AddAccount("juliet@example.com");
    AddAccount("romeo@example.net");
    offline_ = store_->Offline(&loop());
  }
  void TearDown() override {
    offline_.reset();
    EngineContract::TearDown();
  }
  Append Add(const std::string& account, int number, OfflineLimits limits = {}) {
    const OfflineMessage message{.effect = Effect(number),
                                 .bytes = "<message id='" + std::to_string(number) + "'/>",
                                 .stamp_ms = 1000 + number,
                                 .flags = 5};
    return Ask([&] { return offline_->Add(Bare(account), message, limits); });
  }
  std::vector<OfflineMessage> Read(const std::string& account, int64_t after = 0,
                                   uint32_t limit = 1000) {
    return Ask([&] { return offline_->Read(Bare(account), after, limit); });
  }
  OfflineCount Count() {
    return Ask([&] { return offline_->Count(juliet_); });
  }

  const xmpp::BareJid juliet_ = Bare("juliet@example.com");
  std::unique_ptr<OfflineStore> offline_;
};

TEST_P(OfflineContract, GivesBackWhatCameInItsOrder) {
  EXPECT_TRUE(Read("juliet@example.com").empty());
  for (int i = 9; i > 0; --i) EXPECT_EQ(Add("juliet@example.com", i), Append::kDone);
  Add("romeo@example.net", 1);
  const auto messages = Read("juliet@example.com");
  ASSERT_EQ(messages.size(), 9u);
  for (size_t i = 0; i < 9; ++i) {
    const int number = 9 - static_cast<int>(i);
    EXPECT_EQ(messages[i].effect, Effect(number));
    EXPECT_EQ(messages[i].bytes, "<message id='" + std::to_string(number) + "'/>");
    EXPECT_EQ(messages[i].stamp_ms, 1000 + number);
    EXPECT_EQ(messages[i].flags, 5u);
    if (i == 0) continue;
    EXPECT_GT(messages[i].number, messages[i - 1].number);
  }
  const auto page = Read("juliet@example.com", messages[3].number, 2);
  ASSERT_EQ(page.size(), 2u);
  EXPECT_EQ(page[0].effect, messages[4].effect);
  EXPECT_EQ(Count().messages, 9u);
  EXPECT_EQ(Count().bytes, 9 * messages[0].bytes.size());
}

TEST_P(OfflineContract, TakesAnEffectOnceForEachAccount) {
  EXPECT_EQ(Add("juliet@example.com", 1), Append::kDone);
  EXPECT_EQ(Add("juliet@example.com", 1), Append::kRepeated);
  EXPECT_EQ(Add("romeo@example.net", 1), Append::kDone);
  EXPECT_EQ(Count().messages, 1u);
}

TEST_P(OfflineContract, IsFullByCountAndByBytesAndStillKnowsWhatItHas) {
  EXPECT_EQ(Add("juliet@example.com", 1, {.messages = 2}), Append::kDone);
  EXPECT_EQ(Add("juliet@example.com", 2, {.messages = 2}), Append::kDone);
  EXPECT_EQ(Add("juliet@example.com", 3, {.messages = 2}), Append::kFull);
  EXPECT_EQ(Add("juliet@example.com", 2, {.messages = 2}), Append::kRepeated);
  EXPECT_EQ(Add("juliet@example.com", 3, {.bytes = 50}), Append::kFull);
  EXPECT_EQ(Add("juliet@example.com", 3, {.bytes = 51}), Append::kDone);
}

TEST_P(OfflineContract, RemovesUpToANumberAndKeepsWhatCameLater) {
  for (int i = 0; i < 5; ++i) Add("juliet@example.com", i);
  const auto read = Read("juliet@example.com");
  Add("juliet@example.com", 5);
  EXPECT_EQ(Ask([&] { return offline_->RemoveUpTo(juliet_, read.back().number); }), 5u);
  const auto left = Read("juliet@example.com");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].effect, Effect(5));
  // Numbers are not used again: a late removal takes nothing that came after it was decided.
  Ask([&] { return offline_->RemoveUpTo(juliet_, left[0].number); });
  Add("juliet@example.com", 6);
  EXPECT_EQ(Ask([&] { return offline_->RemoveUpTo(juliet_, left[0].number); }), 0u);
  EXPECT_EQ(Count().messages, 1u);
}

TEST_P(OfflineContract, RemovesByEffect) {
  for (int i = 0; i < 4; ++i) Add("juliet@example.com", i);
  Add("romeo@example.net", 1);
  const std::vector<std::string> effects = {Effect(1), Effect(3), Effect(77)};
  EXPECT_EQ(Ask([&] { return offline_->Remove(juliet_, effects); }), 2u);
  const auto left = Read("juliet@example.com");
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[1].effect, Effect(2));
  EXPECT_EQ(Read("romeo@example.net").size(), 1u);
}

TEST_P(OfflineContract, TakesNothingForWhoIsNoAccount) {
  EXPECT_EQ(Add("nobody@example.com", 1), Append::kNoOwner);
  EXPECT_TRUE(Read("nobody@example.com").empty());
}

TEST_P(OfflineContract, CountsRightWhileTwoServersAppend) {
  auto other_store = Open();
  auto other = other_store->Offline(&loop());
  std::vector<std::future<runtime::Result<Append>>> appends;
  // Every effect by both; room for half of them.
  for (int i = 0; i < 100; ++i) {
    for (OfflineStore* store : {offline_.get(), other.get()}) {
      appends.push_back(StartOn(loop(), [this, store, i] {
        return store->Add(juliet_, {.effect = Effect(i), .bytes = "x"}, {.messages = 50});
      }));
    }
  }
  int done = 0;
  for (auto& append : appends) {
    const auto result = append.get();
    ASSERT_TRUE(result) << result.error().message;
    if (*result == Append::kDone) ++done;
  }
  EXPECT_EQ(done, 50);
  EXPECT_EQ(Count().messages, 50u);
  std::set<std::string> effects;
  for (const auto& message : Read("juliet@example.com")) effects.insert(message.effect);
  EXPECT_EQ(effects.size(), 50u);
  other.reset();
  other_store.reset();
}

}  // namespace business
