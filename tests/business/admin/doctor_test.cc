#include <map>

#include "tests/business/admin/admin_fixture.h"

namespace business {
namespace {

using xylem::v1::DoctorReport;
using xylem::v1::Empty;
using Check = DoctorReport::Check;

class DoctorTest : public AdminTest {
 protected:
  void SetUp() override {
    AdminTest::SetUp();
    redis_server_.Do({"HSET", cluster::ManagersKey(), cluster::ManagerField("m1", 1), "1"});
    redis_server_.Do({"SET", cluster::ManagerLeaseKey("m1", 1), "1"});
    server_.linked = {{.instance = "m1", .incarnation = 1, .loops = 2}};
  }

  // The worst state of each name.
  std::map<std::string, Check::State> Examine() {
    auto answer = Call<DoctorReport>("Doctor", Empty());
    EXPECT_EQ(answer.code, kOk);
    std::map<std::string, Check::State> states;
    for (const Check& check : answer.response.checks()) {
      EXPECT_FALSE(check.text().empty()) << check.name();
      EXPECT_NE(check.state(), Check::STATE_UNSPECIFIED) << check.name();
      Check::State& state = states[check.name()];
      state = std::max(state, check.state());
    }
    return states;
  }

  // As the keeper of the generation would.
  void MarkGeneration() {
    auto generations = store_->Generations(&loops_.at(0));
    auto raised = RunOn(loops_.at(0), [&] { return generations->Raise(0, "id"); });
    ASSERT_EQ(raised->generation, 1u);
    std::vector<std::string> tags;
    loops_.RunOn(0, [&] { tags = redis_->MasterTags(); });
    for (const std::string& tag : tags) {
      redis_server_.Do({"SET", cluster::GenerationKey(tag), "1 id"});
    }
  }
};

TEST_F(DoctorTest, FindsAHealthyClusterWell) {
  MarkGeneration();
  for (const auto& [name, state] : Examine()) {
    // Latencies are this host's affair.
    if (name == "redis" || name == "store") {
      EXPECT_NE(state, Check::FAILED) << name;
    } else {
      EXPECT_EQ(state, Check::OK) << name;
    }
  }
}

TEST_F(DoctorTest, SeesThatRedisMayEvict) {
  redis_server_.Do({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  EXPECT_EQ(Examine()["redis memory"], Check::WARNING);
  redis_server_.Do({"CONFIG", "SET", "maxmemory", "100mb"});
  EXPECT_EQ(Examine()["redis memory"], Check::FAILED);
}

TEST_F(DoctorTest, SeesThatRedisWasEmptied) {
  MarkGeneration();
  EXPECT_EQ(Examine()["redis generation"], Check::OK);
  redis_server_.Do({"FLUSHALL"});
  EXPECT_EQ(Examine()["redis generation"], Check::WARNING);
}

TEST_F(DoctorTest, SeesManagersWithoutALinkOrALease) {
  redis_server_.Do({"HSET", cluster::ManagersKey(), cluster::ManagerField("m2", 1), "1"});
  EXPECT_EQ(Examine()["managers"], Check::WARNING);  // gone
  redis_server_.Do({"SET", cluster::ManagerLeaseKey("m2", 1), "1"});
  EXPECT_EQ(Examine()["managers"], Check::FAILED);  // alive, not linked here
  server_.linked.push_back({.instance = "m2", .incarnation = 1, .loops = 1});
  EXPECT_EQ(Examine()["managers"], Check::OK);
  redis_server_.Do({"DEL", cluster::ManagerLeaseKey("m2", 1)});
  EXPECT_EQ(Examine()["managers"], Check::WARNING);
  redis_server_.Do({"FLUSHALL"});
  server_.linked.clear();
  EXPECT_EQ(Examine()["managers"], Check::FAILED);  // nobody can log in
}

TEST_F(DoctorTest, SeesAShortTokenAndCertificatesThatCannotBeRead) {
  service_ = MakeService({.token = kToken, .certificate_files = {dir_.File("none.pem")}});
  EXPECT_EQ(Examine()["certificates"], Check::FAILED);
  auto brief = MakeService({.token = "short"});
  auto answer = CallRaw(*brief, "/xylem.v1.Admin/Doctor", "", "Bearer short");
  DoctorReport report;
  ASSERT_TRUE(report.ParseFromString(answer.response));
  Check::State state = Check::STATE_UNSPECIFIED;
  for (const Check& check : report.checks()) {
    if (check.name() == "admin token") state = check.state();
  }
  EXPECT_EQ(state, Check::WARNING);
}

TEST_F(DoctorTest, SeesWhenACertificateEnds) {
  for (const auto& [days, expected] :
       {std::pair("90", Check::OK), std::pair("3", Check::WARNING)}) {
    const std::string file = dir_.File("certificate.pem");
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        "-nodes -subj /CN=test -keyout /dev/null -out " +
        file + " -days " + days + " 2>/dev/null";
    ASSERT_EQ(system(command.c_str()), 0);
    service_ = MakeService({.token = kToken, .certificate_files = {file}});
    EXPECT_EQ(Examine()["certificates"], expected) << days;
  }
}

TEST_F(DoctorTest, StillReportsWhenRedisIsGone) {
  redis_server_.Kill();
  auto states = Examine();
  EXPECT_EQ(states["redis"], Check::FAILED);
  EXPECT_EQ(states["clock"], Check::FAILED);
  EXPECT_EQ(states["redis generation"], Check::FAILED);
  EXPECT_EQ(states["managers"], Check::FAILED);
  EXPECT_EQ(states["store integrity"], Check::OK);
}

}  // namespace
}  // namespace business
