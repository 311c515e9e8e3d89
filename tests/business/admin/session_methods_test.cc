#include "tests/business/admin/admin_fixture.h"

namespace business {
namespace {

using xylem::v1::KickSessionResponse;
using xylem::v1::SessionList;

xylem::v1::ListSessionsRequest Request(const std::string& jid, uint32_t limit = 0) {
  xylem::v1::ListSessionsRequest request;
  request.set_jid(jid);
  request.set_limit(limit);
  return request;
}

xylem::v1::KickSessionRequest Kick(const std::string& jid, const std::string& text = "") {
  xylem::v1::KickSessionRequest request;
  request.set_jid(jid);
  request.set_text(text);
  return request;
}

std::vector<std::string> Jids(const SessionList& list) {
  std::vector<std::string> jids;
  for (const xylem::v1::Session& session : list.sessions()) jids.push_back(session.jid());
  return jids;
}

TEST_F(AdminTest, ASessionIsShownWithItsOwner) {
  Bind("juliet@example.org", "balcony", "m1", 7);
  auto answer = Call<SessionList>("ListSessions", Request("Juliet@example.org/balcony"));
  ASSERT_EQ(answer.response.sessions_size(), 1);
  const xylem::v1::Session& session = answer.response.sessions(0);
  EXPECT_EQ(session.jid(), "juliet@example.org/balcony");
  EXPECT_EQ(session.session().size(), 32u);
  EXPECT_EQ(session.manager(), "m1");
  EXPECT_EQ(session.manager_incarnation(), 1u);
  EXPECT_EQ(session.connection(), 7u);
  EXPECT_NE(session.epoch(), 0u);
  EXPECT_EQ(session.since(), 1'700'000'000);
  EXPECT_EQ(session.peer_address(), "192.0.2.1:5000");
}

TEST_F(AdminTest, SessionsAreListedByAccountAndByFullJid) {
  Bind("juliet@example.org", "balcony", "m1", 1);
  Bind("juliet@example.org", "chamber", "m2", 2);
  Bind("romeo@example.org", "orchard", "m1", 3);
  auto of_account = Call<SessionList>("ListSessions", Request("juliet@example.org"));
  EXPECT_EQ(Jids(of_account.response),
            (std::vector<std::string>{"juliet@example.org/balcony", "juliet@example.org/chamber"}));
  auto of_full = Call<SessionList>("ListSessions", Request("juliet@example.org/chamber"));
  EXPECT_EQ(Jids(of_full.response), std::vector<std::string>{"juliet@example.org/chamber"});
  auto of_nobody = Call<SessionList>("ListSessions", Request("tybalt@example.org"));
  EXPECT_EQ(of_nobody.code, kOk);
  EXPECT_TRUE(Jids(of_nobody.response).empty());
}

TEST_F(AdminTest, AllSessionsAreListedOnceWhereverTheyAre) {
  Bind("juliet@example.org", "balcony", "m1", 1);
  Bind("juliet@example.org", "chamber", "m2", 2);  // the account is in two managers' sets
  Bind("romeo@example.org", "orchard", "m2", 3);
  auto all = Call<SessionList>("ListSessions", Request(""));
  EXPECT_EQ(Jids(all.response),
            (std::vector<std::string>{"juliet@example.org/balcony", "juliet@example.org/chamber",
                                      "romeo@example.org/orchard"}));
  EXPECT_FALSE(all.response.more());
  auto some = Call<SessionList>("ListSessions", Request("", 2));
  EXPECT_EQ(some.response.sessions_size(), 2);
  EXPECT_TRUE(some.response.more());
}

TEST_F(AdminTest, AWalkThroughManyAccountsFindsEachSession) {
  constexpr int kAccounts = 1200;  // several steps of SSCAN
  std::vector<std::string> expected;
  for (int i = 0; i < kAccounts; ++i) {
    const std::string account = "user" + std::to_string(10000 + i) + "@example.org";
    Bind(account, "r", i % 2 == 0 ? "m1" : "m2", static_cast<uint64_t>(i % 20));
    expected.push_back(account + "/r");
  }
  auto all = Call<SessionList>("ListSessions", Request("", 5000));
  EXPECT_EQ(Jids(all.response), expected);
  EXPECT_FALSE(all.response.more());
  auto by_default = Call<SessionList>("ListSessions", Request(""));
  EXPECT_EQ(by_default.response.sessions_size(), 1000);
  EXPECT_TRUE(by_default.response.more());
}

TEST_F(AdminTest, AKickEndsTheOneSession) {
  Bind("juliet@example.org", "balcony", "m1", 1);
  Bind("juliet@example.org", "chamber", "m2", 2);
  auto answer =
      Call<KickSessionResponse>("KickSession", Kick("juliet@example.org/chamber", "Good <night>."));
  EXPECT_EQ(answer.code, kOk);
  EXPECT_EQ(answer.response.kicked(), 1u);
  EXPECT_EQ(Resources("juliet@example.org"), std::vector<std::string>{"balcony"});
  ASSERT_EQ(server_.fake_links.closed.size(), 1u);
  EXPECT_EQ(server_.fake_links.closed[0].owner.manager, "m2");
  EXPECT_EQ(server_.fake_links.closed[0].owner.connection, 2u);
  EXPECT_NE(server_.fake_links.closed[0].owner.epoch, 0u);
  EXPECT_EQ(server_.fake_links.closed[0].error.condition, xmpp::StreamCondition::kPolicyViolation);
  EXPECT_EQ(server_.fake_links.closed[0].error.text, "Good <night>.");
  EXPECT_EQ(events_.ended, std::vector<std::string>{"juliet@example.org/chamber"});
}

TEST_F(AdminTest, AKickOfABareJidEndsAllSessions) {
  Bind("juliet@example.org", "balcony", "m1", 1);
  Bind("juliet@example.org", "chamber", "m2", 2);
  EXPECT_EQ(Call<KickSessionResponse>("KickSession", Kick("juliet@example.org")).response.kicked(),
            2u);
  EXPECT_EQ(Call<KickSessionResponse>("KickSession", Kick("juliet@example.org")).code, kNotFound);
  EXPECT_EQ(events_.ended.size(), 2u);
}

TEST_F(AdminTest, AKickRefusesWhatCannotBeSaid) {
  Bind("juliet@example.org", "balcony", "m1");
  for (const std::string& text : {std::string("a\x01"), std::string("\0", 1),
                                  std::string("\xEF\xBF\xBF"), std::string(1025, 'x')}) {
    EXPECT_EQ(Call<KickSessionResponse>("KickSession", Kick("juliet@example.org", text)).code,
              kInvalidArgument);
  }
  for (const char* jid : {"", "example.org", "@", "a@b@c"}) {
    EXPECT_EQ(Call<KickSessionResponse>("KickSession", Kick(jid)).code, kInvalidArgument) << jid;
  }
  EXPECT_EQ(Resources("juliet@example.org").size(), 1u);
  EXPECT_TRUE(events_.ended.empty());
}

TEST_F(AdminTest, WithoutRedisSessionsAreUnavailable) {
  redis_server_.Kill();
  auto list = Call<SessionList>("ListSessions", Request(""));
  EXPECT_EQ(list.code, kUnavailable);
  EXPECT_EQ(Call<SessionList>("ListSessions", Request("juliet@example.org")).code, kUnavailable);
  EXPECT_EQ(Call<KickSessionResponse>("KickSession", Kick("juliet@example.org")).code,
            kUnavailable);
}

}  // namespace
}  // namespace business
