#include "connmgr/manager_metrics.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "lib/runtime/metrics.h"
#include "tests/connmgr/loop_fixture.h"

namespace connmgr {
namespace {

using testing::HasSubstr;

class ManagerMetricsTest : public LoopFixture {};

// The page outlives what it reads in no other test: this one alone registers it.
TEST_F(ManagerMetricsTest, CountWhatHappensAndPleasePromtool) {
  UseCertificate(TlsMode::kOptional);
  Start();
  runtime::Health health{{}};
  Drain drain({loop_.get()}, settings_, health);
  AddManagerMetrics({.loops = {loop_.get()},
                     .admission = admission_.get(),
                     .certificates = certificates_.get(),
                     .drain = &drain,
                     .health = &health});
  TestClient client(port());
  client.LogIn();
  client.Send("<message/>");
  ASSERT_TRUE(Becomes([&] {
    return links_->submitted.size() == 1 && loop_->counters().sessions.value() == 1;
  }));
  const std::string text = runtime::Metrics::Get().Text();
  EXPECT_THAT(text, HasSubstr("xylem_connmgr_connections{transport=\"tcp\",phase=\"session\"} 1"));
  EXPECT_THAT(text, HasSubstr("xylem_connmgr_stanzas_total{direction=\"in\",kind=\"message\"} 1"));
  EXPECT_THAT(text, HasSubstr("xylem_connmgr_link_sent_items_total 12"));
  EXPECT_THAT(text, HasSubstr("xylem_connmgr_sessions 1"));
  EXPECT_THAT(text, HasSubstr("xylem_connmgr_certificate_expiry_timestamp_seconds "));
  EXPECT_THAT(text, HasSubstr("xylem_connmgr_draining 0"));
  EXPECT_THAT(text, testing::Not(HasSubstr("example.test")));

  if (std::system("command -v promtool >/dev/null") != 0) return;
  const std::string file = std::filesystem::temp_directory_path() /
                           ("xylem-metrics-" + std::to_string(getpid()) + ".txt");
  std::ofstream(file) << text;
  EXPECT_EQ(std::system(("promtool check metrics < " + file).c_str()), 0);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace connmgr
