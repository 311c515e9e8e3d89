#include "tests/business/admin/admin_fixture.h"

namespace business {
namespace {

using xylem::v1::Empty;
using xylem::v1::Manager;
using xylem::v1::ManagerList;

xylem::v1::DrainManagerRequest Request(const std::string& instance, bool undrain = false) {
  xylem::v1::DrainManagerRequest request;
  request.set_instance(instance);
  request.set_undrain(undrain);
  return request;
}

class ManagersTest : public AdminTest {
 protected:
  // m1 is linked, m2 only in Redis, m3 gone without a word.
  void SetUp() override {
    AdminTest::SetUp();
    for (const char* manager : {"m1", "m2", "m3"}) {
      redis_server_.Do({"HSET", cluster::ManagersKey(), cluster::ManagerField(manager, 1), "1"});
    }
    for (const char* manager : {"m1", "m2"}) {
      redis_server_.Do({"SET", cluster::ManagerLeaseKey(manager, 1), "1"});
    }
    server_.linked = {{.instance = "m1", .incarnation = 1, .loops = 2}};
  }
  std::string Draining() { return redis_server_.Do({"HKEYS", cluster::DrainingKey()}); }
};

TEST_F(ManagersTest, AreListedByWhatRedisAndTheLinksSay) {
  server_.linked.push_back({.instance = "m4", .incarnation = 9, .loops = 1});  // bound nobody yet
  auto answer = Call<ManagerList>("ListManagers", Empty());
  ASSERT_EQ(answer.response.managers_size(), 4);
  const Manager& m1 = answer.response.managers(0);
  EXPECT_EQ(m1.instance(), "m1");
  EXPECT_EQ(m1.incarnation(), 1u);
  EXPECT_EQ(m1.loops_attached(), 2u);
  EXPECT_EQ(m1.sessions(), 21u);  // 10 on loop 0, 11 on loop 1
  EXPECT_TRUE(m1.lease());
  EXPECT_FALSE(m1.draining());
  EXPECT_TRUE(answer.response.managers(1).lease());
  EXPECT_EQ(answer.response.managers(1).loops_attached(), 0u);
  EXPECT_EQ(answer.response.managers(1).sessions(), 0u);
  EXPECT_FALSE(answer.response.managers(2).lease());
  EXPECT_EQ(answer.response.managers(3).instance(), "m4");
  EXPECT_FALSE(answer.response.managers(3).lease());
}

TEST_F(ManagersTest, ADrainIsOrderedAndSeenByEveryBusinessServer) {
  auto answer = Call<ManagerList>("DrainManager", Request("m1"));
  EXPECT_EQ(answer.code, kOk);
  EXPECT_TRUE(answer.response.managers(0).draining());
  EXPECT_FALSE(answer.response.managers(1).draining());
  ASSERT_EQ(server_.drains.size(), 1u);
  EXPECT_EQ(server_.drains[0], std::make_pair(std::string("m1"), false));

  service_ = MakeService({.token = kToken});  // another one
  EXPECT_TRUE(Call<ManagerList>("ListManagers", Empty()).response.managers(0).draining());

  EXPECT_FALSE(
      Call<ManagerList>("DrainManager", Request("m1", true)).response.managers(0).draining());
  EXPECT_EQ(server_.drains.back(), std::make_pair(std::string("m1"), true));
  EXPECT_EQ(Draining(), "");
}

TEST_F(ManagersTest, ADrainIsForgottenWithTheRunItWasFor) {
  Call<ManagerList>("DrainManager", Request("m1"));
  redis_server_.Do({"HDEL", cluster::ManagersKey(), cluster::ManagerField("m1", 1)});
  server_.linked = {{.instance = "m1", .incarnation = 2, .loops = 2}};
  auto answer = Call<ManagerList>("ListManagers", Empty());
  EXPECT_EQ(answer.response.managers(0).incarnation(), 2u);
  EXPECT_FALSE(answer.response.managers(0).draining());
  Call<ManagerList>("DrainManager", Request("m1"));
  EXPECT_EQ(Draining(), cluster::ManagerField("m1", 2) + "\n");
}

TEST_F(ManagersTest, AnUnknownManagerIsNotFoundAndAnUnlinkedOneUnavailable) {
  EXPECT_EQ(Call<ManagerList>("DrainManager", Request("m9")).code, kNotFound);
  EXPECT_EQ(Call<ManagerList>("DrainManager", Request("")).code, kNotFound);
  EXPECT_EQ(Call<ManagerList>("DrainManager", Request("m2")).code, kUnavailable);
  EXPECT_TRUE(server_.drains.empty());
  EXPECT_EQ(Draining(), "");
}

}  // namespace
}  // namespace business
