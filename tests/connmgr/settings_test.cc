#include "connmgr/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/runtime/config.h"
#include "proto/config/connmgr.pb.h"

namespace connmgr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

// A configuration with every default filled in, and TLS off.
xylem::config::Connmgr Defaults() {
  xylem::config::Connmgr config;
  EXPECT_THAT(runtime::LoadConfig({.set = {"c2s.tls=off"}}, &config), IsEmpty());
  return config;
}

TEST(ManagerSettings, TakeTheDefaultsOfTheManual) {
  Settings settings;
  EXPECT_THAT(Settings::Read(Defaults(), &settings), IsEmpty());
  EXPECT_GE(settings.loops, 1);
  EXPECT_EQ(settings.domains, std::vector<std::string>{"localhost"});
  EXPECT_EQ(settings.tls, TlsMode::kOff);
  EXPECT_EQ(settings.window_stanzas, 64u);
  EXPECT_EQ(settings.window_bytes, 262144u);
  EXPECT_EQ(settings.write_queue, 1048576u);
  EXPECT_EQ(settings.negotiation.count(), 30000);
  EXPECT_EQ(settings.business_grace.count(), 30000);
  EXPECT_EQ(settings.drain_deadline.count(), 55000);
  EXPECT_EQ(settings.drain_pace, 500u);
}

TEST(ManagerSettings, NameEachProblemByItsKey) {
  auto config = Defaults();
  auto* bad = config.mutable_c2s()->add_listeners();
  bad->set_address("nowhere");
  bad->set_proxy(true);
  bad->add_proxy_from("10.0.0.0/99");
  config.mutable_c2s()->add_domains("not a domain");
  Settings settings;
  EXPECT_THAT(Settings::Read(config, &settings),
              ElementsAre(StartsWith("c2s.listeners[0].address: `nowhere`"),
                          StartsWith("c2s.listeners[0].proxy_from: `10.0.0.0/99`"),
                          StartsWith("c2s.listeners[0].proxy_from: name the load balancers"),
                          StartsWith("c2s.domains: `not a domain`")));
}

TEST(ManagerSettings, WantACertificateWhereTlsIsRequired) {
  auto config = Defaults();
  config.mutable_c2s()->set_tls("required");
  Settings required;
  EXPECT_THAT(Settings::Read(config, &required), ElementsAre(StartsWith("c2s.certificates:")));
  config.mutable_c2s()->set_tls("off");
  auto* direct = config.mutable_c2s()->add_listeners();
  direct->set_address("127.0.0.1:0");
  direct->set_direct_tls(true);
  Settings with_direct;
  EXPECT_THAT(Settings::Read(config, &with_direct), ElementsAre(StartsWith("c2s.certificates:")));
}

TEST(ManagerSettings, NormaliseDomains) {
  auto config = Defaults();
  config.mutable_c2s()->clear_domains();
  config.mutable_c2s()->add_domains("EXAMPLE.test");
  Settings settings;
  EXPECT_THAT(Settings::Read(config, &settings), IsEmpty());
  EXPECT_EQ(settings.domains, std::vector<std::string>{"example.test"});
}

}  // namespace
}  // namespace connmgr
