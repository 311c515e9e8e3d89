// One manager loop with listeners on loopback and a business tier that is a fake.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "connmgr/admission.h"
#include "connmgr/certificates.h"
#include "connmgr/connmgr_loop.h"
#include "connmgr/settings.h"
#include "lib/runtime/event_loop.h"
#include "tests/connmgr/fake_links.h"
#include "tests/connmgr/test_certificate.h"
#include "tests/connmgr/test_client.h"

namespace connmgr {

class LoopFixture : public testing::Test {
 protected:
  LoopFixture() {
    settings_.domains = {"example.test"};
    settings_.tls = TlsMode::kOff;
    ListenerSettings listener;
    listener.address = *SocketAddress::FromIp("127.0.0.1", 0);
    settings_.listeners = {listener};
  }
  ~LoopFixture() override {
    if (loop_ != nullptr) OnLoop([&] { loop_.reset(); });
    group_.StopAndJoin();
  }

  // Change `settings_` before.
  void Start() {
    auto certificates = Certificates::Load(settings_);
    ASSERT_TRUE(certificates.has_value());
    certificates_ = std::move(*certificates);
    admission_ = std::make_unique<Admission>(settings_, 1000);
    OnLoop([&] {
      auto links = std::make_unique<FakeLinks>(group_.at(0));
      links_ = links.get();
      loop_ = std::make_unique<ConnmgrLoop>(group_.at(0), settings_, *admission_, *certificates_,
                                            std::move(links));
      loop_->Start();
      EXPECT_TRUE(loop_->OpenListeners(settings_.listeners));
    });
  }
  void UseCertificate(TlsMode mode) {
    certificate_ = std::make_unique<TestCertificate>();
    settings_.tls = mode;
    settings_.certificates = {{{"*"}, certificate_->certificate(), certificate_->key()}};
  }

  uint16_t port(size_t listener = 0) const { return settings_.listeners[listener].address.port(); }

  template <typename Work>
  void OnLoop(Work work) {
    group_.RunOn(0, [&] { work(); });
  }
  // `condition`, looked at on the loop, becomes true in good time.
  template <typename Condition>
  testing::AssertionResult Becomes(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (true) {
      bool holds = false;
      OnLoop([&] { holds = condition(); });
      if (holds) return testing::AssertionSuccess();
      if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure() << "late";
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  uint64_t Closed(CloseReason reason) {
    return loop_->counters().closes[static_cast<size_t>(reason)].value();
  }
  size_t Submitted() {
    size_t count = 0;
    OnLoop([&] { count = links_->submitted.size(); });
    return count;
  }

  std::unique_ptr<TestCertificate> certificate_;
  Settings settings_;
  std::unique_ptr<Certificates> certificates_;
  std::unique_ptr<Admission> admission_;
  runtime::LoopGroup group_{"test", 1};
  FakeLinks* links_ = nullptr;
  std::unique_ptr<ConnmgrLoop> loop_;
};

}  // namespace connmgr
