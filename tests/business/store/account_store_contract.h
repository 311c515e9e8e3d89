// What every engine of AccountStore and GenerationStore must do, written against the interfaces.
#pragma once

#include <memory>
#include <set>

#include "business/store/store.h"
#include "tests/business/store/store_contract.h"

namespace business {

class StoreContract : public EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    accounts_ = store_->Accounts(&loop());
    generations_ = store_->Generations(&loop());
  }

  AccountStore::Put Add(const Account& account) {
    return *RunOn(loop(), [&] { return accounts_->Add(account); });
  }
  std::optional<Account> Find(const std::string& jid) {
    return *RunOn(loop(), [&] { return accounts_->Find(xmpp::BareJid::FromNormalized(jid)); });
  }
  std::vector<std::string> List(const std::string& domain, const std::string& after,
                                uint32_t limit) {
    auto listed = *RunOn(loop(), [&] { return accounts_->List(domain, after, limit); });
    std::vector<std::string> jids;
    for (const Account& account : listed) jids.push_back(account.jid.ToString());
    return jids;
  }

  std::unique_ptr<AccountStore> accounts_;
  std::unique_ptr<cluster::GenerationStore> generations_;
};

TEST_P(StoreContract, FindsWhatWasAdded) {
  EXPECT_EQ(Add(MakeAccount("juliet@example.com", "j")), AccountStore::Put::kDone);
  const auto found = Find("juliet@example.com");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->jid.ToString(), "juliet@example.com");
  EXPECT_EQ(found->created, 1700000000);
  EXPECT_EQ(found->password_changed, 1700000001);
  EXPECT_FALSE(found->locked);
  ASSERT_EQ(found->keys.size(), 3u);
  std::set<xmpp::sasl::Hash> hashes;
  for (const auto& keys : found->keys) {
    hashes.insert(keys.hash);
    EXPECT_EQ(keys.salt, std::string("j\0salt", 6));
    EXPECT_EQ(keys.stored_key, std::string("jstored\0", 8));
    EXPECT_EQ(keys.server_key, "jserver");
    EXPECT_EQ(keys.iterations, 4096u);
  }
  EXPECT_EQ(hashes.size(), 3u);
}

TEST_P(StoreContract, FindsNothingForAnUnknownAccount) { EXPECT_FALSE(Find("nobody@example.com")); }

TEST_P(StoreContract, DoesNotReplaceAnAccountThatExists) {
  EXPECT_EQ(Add(MakeAccount("juliet@example.com", "first")), AccountStore::Put::kDone);
  EXPECT_EQ(Add(MakeAccount("juliet@example.com", "second")), AccountStore::Put::kExists);
  EXPECT_EQ(Find("juliet@example.com")->keys.at(0).server_key, "firstserver");
}

TEST_P(StoreContract, ReplacesAllKeysOfAnAccount) {
  Add(MakeAccount("juliet@example.com", "old"));
  const auto jid = xmpp::BareJid::FromNormalized("juliet@example.com");
  const std::vector<xmpp::sasl::ScramKeys> keys = {KeysFor(xmpp::sasl::Hash::kSha256, "new")};
  EXPECT_EQ(*RunOn(loop(), [&] { return accounts_->SetKeys(jid, keys); }),
            AccountStore::Put::kDone);
  const auto found = Find("juliet@example.com");
  ASSERT_EQ(found->keys.size(), 1u);
  EXPECT_EQ(found->keys[0].server_key, "newserver");
  EXPECT_GT(found->password_changed, 1700000001);
}

TEST_P(StoreContract, LocksUnlocksAndRemoves) {
  Add(MakeAccount("juliet@example.com"));
  const auto jid = xmpp::BareJid::FromNormalized("juliet@example.com");
  EXPECT_EQ(*RunOn(loop(), [&] { return accounts_->SetLocked(jid, true); }),
            AccountStore::Put::kDone);
  EXPECT_TRUE(Find("juliet@example.com")->locked);
  EXPECT_EQ(*RunOn(loop(), [&] { return accounts_->SetLocked(jid, false); }),
            AccountStore::Put::kDone);
  EXPECT_FALSE(Find("juliet@example.com")->locked);
  EXPECT_EQ(*RunOn(loop(), [&] { return accounts_->Remove(jid); }), AccountStore::Put::kDone);
  EXPECT_FALSE(Find("juliet@example.com"));
  // Its credentials went with it: the name can be used again.
  EXPECT_EQ(Add(MakeAccount("juliet@example.com", "again")), AccountStore::Put::kDone);
}

TEST_P(StoreContract, SaysWhenAnAccountIsMissing) {
  const auto jid = xmpp::BareJid::FromNormalized("nobody@example.com");
  EXPECT_EQ(*RunOn(loop(), [&] { return accounts_->SetLocked(jid, true); }),
            AccountStore::Put::kMissing);
  EXPECT_EQ(*RunOn(loop(), [&] { return accounts_->Remove(jid); }), AccountStore::Put::kMissing);
  EXPECT_EQ(
      *RunOn(loop(), [&] { return accounts_->SetKeys(jid, std::vector<xmpp::sasl::ScramKeys>()); }),
      AccountStore::Put::kMissing);
}

TEST_P(StoreContract, ListsByDomainInPages) {
  for (const char* jid : {"b@one.example", "a@one.example", "c@two.example", "d@one.example"}) {
    Add(MakeAccount(jid));
  }
  using Jids = std::vector<std::string>;
  EXPECT_EQ(List("", "", 10),
            (Jids{"a@one.example", "b@one.example", "c@two.example", "d@one.example"}));
  EXPECT_EQ(List("one.example", "", 2), (Jids{"a@one.example", "b@one.example"}));
  EXPECT_EQ(List("one.example", "b@one.example", 2), (Jids{"d@one.example"}));
  EXPECT_EQ(List("three.example", "", 2), Jids{});
}

// tests/attacks, row 55.
TEST_P(StoreContract, TakesMetacharactersAsText) {
  for (const char* jid : {"x'); drop table account; --@example.com", "%@example.com",
                          "_@example.com", "{}:*@example.com", "ü\"\\@example.com"}) {
    EXPECT_EQ(Add(MakeAccount(jid)), AccountStore::Put::kDone) << jid;
    EXPECT_TRUE(Find(jid)) << jid;
  }
  EXPECT_EQ(List("example.com", "", 100).size(), 5u);
  EXPECT_FALSE(Find("a@example.com"));
}

TEST_P(StoreContract, RaisesTheGenerationOnceForTwoWhoSawTheSameLoss) {
  const auto read = [&] { return *RunOn(loop(), [&] { return generations_->Read(); }); };
  EXPECT_EQ(read().generation, 0u);
  auto first = StartOn(loop(), [&] { return generations_->Raise(0, "one"); });
  auto second = StartOn(loop(), [&] { return generations_->Raise(0, "two"); });
  EXPECT_EQ(first.get()->generation, 1u);
  const auto seen = *second.get();
  EXPECT_EQ(seen.generation, 1u);
  EXPECT_EQ(seen.fingerprint, "one");
  EXPECT_EQ(read().fingerprint, "one");
}

TEST_P(StoreContract, ReportsItsHealth) {
  const auto report = *RunOn(loop(), [&] { return store_->Check(&loop()); });
  EXPECT_EQ(report.faults, std::vector<std::string>());
  EXPECT_GE(report.schema, 2);
  EXPECT_EQ(report.known, report.schema);
  EXPECT_FALSE(report.engine.empty());
}

}  // namespace business
