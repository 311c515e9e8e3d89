#include "business/auth/account_cache.h"

#include "tests/business/auth/auth_fixture.h"

namespace business {
namespace {

using AccountCacheTest = AuthTest;

TEST_F(AccountCacheTest, ReadsTheStoreOncePerVersion) {
  Add("juliet@example.org", "secret");
  const auto first = Find(*cache_, "juliet@example.org");
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->keys.size(), 3u);
  EXPECT_EQ(Find(*cache_, "juliet@example.org"), first);
  EXPECT_EQ(accounts_->finds, 1);

  SetPassword("juliet@example.org", "other");
  const auto second = Find(*cache_, "juliet@example.org");
  EXPECT_NE(second->keys.at(0).stored_key, first->keys.at(0).stored_key);
  EXPECT_EQ(accounts_->finds, 2);
}

TEST_F(AccountCacheTest, RemembersThatAnAccountIsUnknownUntilItIsMade) {
  EXPECT_EQ(Find(*cache_, "romeo@example.org"), nullptr);
  EXPECT_EQ(Find(*cache_, "romeo@example.org"), nullptr);
  EXPECT_EQ(accounts_->finds, 1);
  Add("romeo@example.org", "secret");
  EXPECT_NE(Find(*cache_, "romeo@example.org"), nullptr);
  Delete("romeo@example.org");
  EXPECT_EQ(Find(*cache_, "romeo@example.org"), nullptr);
}

TEST_F(AccountCacheTest, ReadsAnewWhenAnEntryIsTooOld) {
  std::unique_ptr<AccountCache> cache;
  OnLoop([&] { cache = MakeCache(std::chrono::milliseconds(0)); });
  Find(*cache, "juliet@example.org");
  Find(*cache, "juliet@example.org");
  EXPECT_EQ(accounts_->finds, 2);
}

TEST_F(AccountCacheTest, DropsTheOldestOfTooMany) {
  std::unique_ptr<AccountCache> cache;
  OnLoop([&] { cache = MakeCache(std::chrono::seconds(60), 2); });
  for (const char* jid : {"a@example.org", "b@example.org", "c@example.org"}) Find(*cache, jid);
  EXPECT_EQ(accounts_->finds, 3);
  Find(*cache, "b@example.org");
  Find(*cache, "c@example.org");
  EXPECT_EQ(accounts_->finds, 3);
  Find(*cache, "a@example.org");
  EXPECT_EQ(accounts_->finds, 4);
  OnLoop([&] { EXPECT_EQ(cache->size(), 2u); });
}

// R13: an entry that was kept under a version proves nothing while nobody can say the version.
TEST_F(AccountCacheTest, ReadsTheStoreWhileRedisIsAway) {
  Add("juliet@example.org", "secret");
  Find(*cache_, "juliet@example.org");
  redis_server_.Kill();
  EXPECT_NE(Find(*cache_, "juliet@example.org"), nullptr);
  EXPECT_NE(Find(*cache_, "juliet@example.org"), nullptr);
  EXPECT_EQ(accounts_->finds, 3);
}

TEST_F(AccountCacheTest, KeepsNothingOfAStoreThatFails) {
  Add("juliet@example.org", "secret");
  accounts_->broken = true;
  const auto failed = RunOn(loop(), [&] { return cache_->Find(Jid("juliet@example.org")); });
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().kind, runtime::ErrorKind::kUnavailable);
  accounts_->broken = false;
  EXPECT_NE(Find(*cache_, "juliet@example.org"), nullptr);
}

}  // namespace
}  // namespace business
