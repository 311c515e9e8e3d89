// What every engine of OwnerStore must do, and what goes with an owner.
#pragma once

#include "tests/business/store/store_contract.h"

namespace business {

class OwnerContract : public EngineContract {
 protected:
  using Put = OwnerStore::Put;

  void SetUp() override {
    EngineContract::SetUp();
    owners_ = store_->Owners(&loop());
    archives_ = store_->Archives(&loop());
  }
  void TearDown() override {
    owners_.reset();
    archives_.reset();
    EngineContract::TearDown();
  }
  Put Add(const std::string& jid) {
    return Ask([&] { return owners_->Add(AnyJid(jid)); });
  }
  Put Remove(const std::string& jid) {
    return Ask([&] { return owners_->Remove(AnyJid(jid)); });
  }
  bool CanOwn(const std::string& jid) {
    ArchiveEntry entry;
    entry.owner = AnyJid(jid);
    entry.effect = Effect(number_++);
    const std::vector<ArchiveEntry> entries = {entry};
    return Ask([&] { return archives_->Insert(entries); }).at(0).outcome ==
           ArchivePlace::Outcome::kDone;
  }

  int number_ = 0;
  std::unique_ptr<OwnerStore> owners_;
  std::unique_ptr<ArchiveStore> archives_;
};

TEST_P(OwnerContract, AddsAndRemovesWhatIsNoAccount) {
  EXPECT_FALSE(CanOwn("room@muc.example.com"));
  EXPECT_EQ(Add("room@muc.example.com"), Put::kDone);
  EXPECT_EQ(Add("room@muc.example.com"), Put::kExists);
  EXPECT_EQ(Add("pubsub.example.com"), Put::kDone);
  EXPECT_TRUE(CanOwn("room@muc.example.com"));
  EXPECT_TRUE(CanOwn("pubsub.example.com"));
  EXPECT_EQ(Remove("room@muc.example.com"), Put::kDone);
  EXPECT_EQ(Remove("room@muc.example.com"), Put::kMissing);
  EXPECT_FALSE(CanOwn("room@muc.example.com"));
}

TEST_P(OwnerContract, TakesAccountsAsOwnersWhileTheyLast) {
  EXPECT_FALSE(CanOwn("juliet@example.com"));
  AddAccount("juliet@example.com");
  EXPECT_TRUE(CanOwn("juliet@example.com"));
  EXPECT_EQ(Add("juliet@example.com"), Put::kExists);
  EXPECT_EQ(Remove("juliet@example.com"), Put::kIsAccount);
  EXPECT_TRUE(CanOwn("juliet@example.com"));
  RemoveAccount("juliet@example.com");
  EXPECT_FALSE(CanOwn("juliet@example.com"));
}

// Somebody who had no account row gets one: what is there stays.
TEST_P(OwnerContract, MakesAnAccountOfAnOwner) {
  EXPECT_EQ(Add("juliet@example.com"), Put::kDone);
  EXPECT_TRUE(CanOwn("juliet@example.com"));
  AddAccount("juliet@example.com");
  EXPECT_EQ(Ask([&] { return archives_->State(AnyJid("juliet@example.com")); }).position, 1);
  EXPECT_EQ(Remove("juliet@example.com"), Put::kIsAccount);
}

}  // namespace business
