#include "tests/business/admin/admin_fixture.h"

namespace business {
namespace {

using xylem::v1::Empty;
using xylem::v1::User;
using xylem::v1::UserList;

xylem::v1::UserRequest Request(const std::string& jid) {
  xylem::v1::UserRequest request;
  request.set_jid(jid);
  return request;
}

xylem::v1::LockUserRequest Lock(const std::string& jid, bool locked) {
  xylem::v1::LockUserRequest request;
  request.set_jid(jid);
  request.set_locked(locked);
  return request;
}

std::vector<std::string> Jids(const UserList& list) {
  std::vector<std::string> jids;
  for (const User& user : list.users()) jids.push_back(user.jid());
  return jids;
}

TEST_F(AdminTest, AnAddedAccountIsShownNormalised) {
  auto added = AddUser("Juliet@Example.org");
  EXPECT_EQ(added.code, kOk);
  EXPECT_EQ(added.response.jid(), "juliet@example.org");
  EXPECT_FALSE(added.response.locked());
  EXPECT_GT(added.response.created(), 1'700'000'000);
  auto shown = Call<User>("GetUser", Request("JULIET@example.org"));
  EXPECT_EQ(shown.code, kOk);
  EXPECT_EQ(shown.response.SerializeAsString(), added.response.SerializeAsString());
}

TEST_F(AdminTest, AnAccountIsAddedOnce) {
  EXPECT_EQ(AddUser("juliet@example.org").code, kOk);
  auto again = AddUser("juliet@EXAMPLE.org", "other");
  EXPECT_EQ(again.code, kAlreadyExists);
  EXPECT_NE(again.message.find("juliet"), std::string::npos);
}

TEST_F(AdminTest, WhatIsNoAccountsAddressIsInvalid) {
  for (const char* jid :
       {"", "example.org", "@example.org", "a b@example.org", "a@example.org/r"}) {
    EXPECT_EQ(AddUser(jid).code, kInvalidArgument) << jid;
    EXPECT_EQ(Call<User>("GetUser", Request(jid)).code, kInvalidArgument) << jid;
    EXPECT_EQ(Call<Empty>("DeleteUser", Request(jid)).code, kInvalidArgument) << jid;
    EXPECT_EQ(Call<User>("LockUser", Lock(jid, true)).code, kInvalidArgument) << jid;
  }
  EXPECT_EQ(AddUser("juliet@elsewhere.org").code, kInvalidArgument);
  EXPECT_EQ(AddUser("juliet@example.org", "").code, kInvalidArgument);
  EXPECT_EQ(AddUser("juliet@example.org", std::string(2000, 'x')).code, kInvalidArgument);
}

TEST_F(AdminTest, AMissingAccountIsNotFound) {
  EXPECT_EQ(Call<User>("GetUser", Request("nobody@example.org")).code, kNotFound);
  EXPECT_EQ(Call<Empty>("DeleteUser", Request("nobody@example.org")).code, kNotFound);
  EXPECT_EQ(Call<User>("LockUser", Lock("nobody@example.org", true)).code, kNotFound);
  xylem::v1::SetPasswordRequest request;
  request.set_jid("nobody@example.org");
  request.set_password("secret");
  EXPECT_EQ(Call<User>("SetPassword", request).code, kNotFound);
}

TEST_F(AdminTest, ANewPasswordReplacesTheKeys) {
  AddUser("juliet@example.org", "old");
  const xmpp::BareJid jid = xmpp::BareJid::FromNormalized("juliet@example.org");
  auto before = RunOn(loops_.at(0), [&] { return accounts_->Find(jid); });
  xylem::v1::SetPasswordRequest request;
  request.set_jid("juliet@example.org");
  request.set_password("new");
  EXPECT_EQ(Call<User>("SetPassword", request).code, kOk);
  auto after = RunOn(loops_.at(0), [&] { return accounts_->Find(jid); });
  EXPECT_NE((*before)->keys[0].stored_key, (*after)->keys[0].stored_key);
  auto fits =
      RunOn(loops_.at(0), [&] { return workers_->Check(&loops_.at(0), (*after)->keys[0], "new"); });
  EXPECT_TRUE(*fits);
}

TEST_F(AdminTest, LockingEndsTheSessionsAndUnlockingDoesNot) {
  AddUser("juliet@example.org");
  Bind("juliet@example.org", "balcony", "m1", 1);
  Bind("juliet@example.org", "chamber", "m2", 2);
  auto locked = Call<User>("LockUser", Lock("juliet@example.org", true));
  EXPECT_EQ(locked.code, kOk);
  EXPECT_TRUE(locked.response.locked());
  EXPECT_TRUE(Resources("juliet@example.org").empty());
  ASSERT_EQ(server_.fake_links.closed.size(), 2u);
  EXPECT_EQ(server_.fake_links.closed[0].error.condition, xmpp::StreamCondition::kPolicyViolation);
  EXPECT_EQ(events_.ended.size(), 2u);

  Bind("juliet@example.org", "balcony", "m1", 3);
  auto unlocked = Call<User>("LockUser", Lock("juliet@example.org", false));
  EXPECT_FALSE(unlocked.response.locked());
  EXPECT_EQ(Resources("juliet@example.org").size(), 1u);
}

TEST_F(AdminTest, DeletingEndsTheSessions) {
  AddUser("juliet@example.org");
  AddUser("romeo@example.org");
  Bind("juliet@example.org", "balcony", "m1", 1);
  Bind("romeo@example.org", "orchard", "m1", 2);
  EXPECT_EQ(Call<Empty>("DeleteUser", Request("juliet@example.org")).code, kOk);
  EXPECT_EQ(Call<User>("GetUser", Request("juliet@example.org")).code, kNotFound);
  ASSERT_EQ(server_.fake_links.closed.size(), 1u);
  EXPECT_EQ(server_.fake_links.closed[0].error.condition, xmpp::StreamCondition::kNotAuthorized);
  EXPECT_EQ(server_.fake_links.closed[0].owner.connection, 1u);
  EXPECT_EQ(events_.ended, std::vector<std::string>{"juliet@example.org/balcony"});
  EXPECT_EQ(Resources("romeo@example.org").size(), 1u);
}

TEST_F(AdminTest, ARepeatedDeletionEndsTheSessionsThatWereLeft) {
  Bind("juliet@example.org", "balcony", "m1");  // the account itself is gone
  EXPECT_EQ(Call<Empty>("DeleteUser", Request("juliet@example.org")).code, kOk);
  EXPECT_TRUE(Resources("juliet@example.org").empty());
  EXPECT_EQ(Call<Empty>("DeleteUser", Request("juliet@example.org")).code, kNotFound);
}

TEST_F(AdminTest, ADeletionWithoutRedisSaysThatItMayHaveHappened) {
  AddUser("juliet@example.org");
  redis_server_.Kill();
  auto answer = Call<Empty>("DeleteUser", Request("juliet@example.org"));
  EXPECT_EQ(answer.code, kUnavailable);
  EXPECT_NE(answer.message.find("may have happened"), std::string::npos) << answer.message;
}

TEST_F(AdminTest, AccountsAreListedPageByPage) {
  for (const char* name : {"d", "b", "a", "c"}) AddUser(std::string(name) + "x@example.org");
  AddUser("zx@example.net");
  xylem::v1::ListUsersRequest request;
  auto all = Call<UserList>("ListUsers", request);
  EXPECT_EQ(Jids(all.response),
            (std::vector<std::string>{"ax@example.org", "bx@example.org", "cx@example.org",
                                      "dx@example.org", "zx@example.net"}));
  EXPECT_FALSE(all.response.more());

  request.set_domain("EXAMPLE.org");
  request.set_limit(2);
  auto first = Call<UserList>("ListUsers", request);
  EXPECT_EQ(Jids(first.response), (std::vector<std::string>{"ax@example.org", "bx@example.org"}));
  EXPECT_TRUE(first.response.more());
  request.set_after("BX@example.org");
  auto last = Call<UserList>("ListUsers", request);
  EXPECT_EQ(Jids(last.response), (std::vector<std::string>{"cx@example.org", "dx@example.org"}));
  EXPECT_FALSE(last.response.more());

  request.set_domain("not a domain");
  EXPECT_EQ(Call<UserList>("ListUsers", request).code, kInvalidArgument);
  request.set_domain("");
  request.set_after("no-jid");
  EXPECT_EQ(Call<UserList>("ListUsers", request).code, kInvalidArgument);
}

}  // namespace
}  // namespace business
