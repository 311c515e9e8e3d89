#include "business/auth/account_admin.h"

#include "business/auth/confusable_name.h"
#include "tests/business/auth/auth_fixture.h"

namespace business {
namespace {

using AccountAdminTest = AuthTest;
using Outcome = AccountAdmin::Outcome;

TEST_F(AccountAdminTest, MakesChangesAndDeletesAnAccount) {
  EXPECT_EQ(Add("Juliet@Example.org", "secret"), Outcome::kDone);
  EXPECT_EQ(Add("juliet@example.org", "other"), Outcome::kExists);
  const auto get = [&] {
    return *RunOn(loop(), [&] { return admin_->Get("juliet@EXAMPLE.org"); });
  };
  const auto made = get();
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->locked);
  EXPECT_EQ(made->keys.size(), 3u);
  for (const auto& keys : made->keys) EXPECT_EQ(keys.iterations, kIterations);
  EXPECT_EQ(SetLocked("juliet@example.org", true), Outcome::kDone);
  EXPECT_TRUE(get()->locked);
  EXPECT_EQ(SetPassword("juliet@example.org", "other"), Outcome::kDone);
  EXPECT_EQ(Delete("juliet@example.org"), Outcome::kDone);
  EXPECT_FALSE(get());
  EXPECT_EQ(Delete("juliet@example.org"), Outcome::kMissing);
  EXPECT_EQ(SetLocked("juliet@example.org", true), Outcome::kMissing);
  EXPECT_EQ(SetPassword("juliet@example.org", "x"), Outcome::kMissing);
}

TEST_F(AccountAdminTest, RaisesTheVersionWithEachChange) {
  uint64_t before = Version("juliet@example.org");
  const auto raised = [&] {
    const uint64_t now = Version("juliet@example.org");
    return std::exchange(before, now) < now;
  };
  Add("juliet@example.org", "secret");
  EXPECT_TRUE(raised());
  SetPassword("juliet@example.org", "other");
  EXPECT_TRUE(raised());
  SetLocked("juliet@example.org", true);
  EXPECT_TRUE(raised());
  Delete("juliet@example.org");
  EXPECT_TRUE(raised());
}

TEST_F(AccountAdminTest, SaysUnknownWhenAChangeIsStoredAndItsVersionIsNot) {
  redis_server_.Kill();
  const auto added = RunOn(loop(), [&] { return admin_->Add("juliet@example.org", "secret"); });
  ASSERT_FALSE(added.has_value());
  EXPECT_TRUE(added.error().unknown());
  redis_server_.Start();
  // The same call again makes it whole.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (true) {
    const auto again = RunOn(loop(), [&] { return admin_->Add("juliet@example.org", "secret"); });
    if (again.has_value()) {
      EXPECT_EQ(*again, Outcome::kExists);
      break;
    }
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << again.error().message;
  }
  EXPECT_GT(Version("juliet@example.org"), 0u);
}

TEST_F(AccountAdminTest, RefusesAddressesAndPasswordsThatCannotBe) {
  for (const char* jid : {"", "example.org", "@example.org", "juliet@", "a@b@example.org",
                          "juliet@example.org/balcony", "ju liet@example.org"}) {
    EXPECT_EQ(Add(jid, "secret"), Outcome::kBadJid) << jid;
    EXPECT_EQ(Delete(jid), Outcome::kBadJid) << jid;
  }
  EXPECT_EQ(Add("juliet@elsewhere.org", "secret"), Outcome::kForeignDomain);
  EXPECT_EQ(Add("juliet@example.net", "secret"), Outcome::kDone);
  EXPECT_EQ(Add("romeo@example.org", ""), Outcome::kBadPassword);
  EXPECT_EQ(Add("romeo@example.org", "tab\tbed"), Outcome::kBadPassword);
  EXPECT_EQ(Add("romeo@example.org", std::string(1024, 'x')), Outcome::kBadPassword);
  EXPECT_EQ(Add("romeo@example.org", std::string(1023, 'x')), Outcome::kDone);
  EXPECT_EQ(SetPassword("romeo@example.org", ""), Outcome::kBadPassword);
}

// tests/attacks, row 30.
TEST_F(AccountAdminTest, RefusesNamesThatLookLikeOthers) {
  EXPECT_EQ(Add("\u0430dmin@example.org", "secret"), Outcome::kBadJid);  // Cyrillic а
  EXPECT_EQ(Add("p\u0430ypal@example.org", "secret"), Outcome::kBadJid);
  EXPECT_EQ(Add("\u0430\u0440\u0440\u04CF\u0435@example.org", "secret"),
            Outcome::kBadJid);                                         // "apple", all Cyrillic
  EXPECT_EQ(Add("m\u03B1x@example.org", "secret"), Outcome::kBadJid);  // Greek α
  EXPECT_EQ(Add("1\u0967@example.org", "secret"), Outcome::kBadJid);   // mixed digits
  EXPECT_EQ(Add("jos\u00E9@example.org", "secret"), Outcome::kDone);
  EXPECT_EQ(Add("\u0434\u0436\u0443\u043B\u044C\u0435\u0442\u0442\u0430@example.org", "secret"),
            Outcome::kDone);
  EXPECT_EQ(Add("\u5C0F\u6797\u3055\u3093@example.org", "secret"), Outcome::kDone);
}

TEST_F(AccountAdminTest, ListsAccountsInPages) {
  for (const char* jid : {"a@example.org", "b@example.org", "c@example.net"}) Add(jid, "secret");
  const auto list = [&](std::string domain, std::string after, uint32_t limit) {
    std::vector<std::string> jids;
    auto listed = RunOn(loop(), [&] { return admin_->List(domain, after, limit); });
    for (const Account& account : *listed) jids.push_back(account.jid.ToString());
    return jids;
  };
  using Jids = std::vector<std::string>;
  EXPECT_EQ(list("", "", 0), (Jids{"a@example.org", "b@example.org", "c@example.net"}));
  EXPECT_EQ(list("Example.ORG", "", 0), (Jids{"a@example.org", "b@example.org"}));
  EXPECT_EQ(list("", "a@example.org", 1), (Jids{"b@example.org"}));
  EXPECT_EQ(list("not a domain", "", 0), Jids{});
}

}  // namespace
}  // namespace business
