// A manager's loop with links, and clients on it, for tests against FakeBusiness.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "connmgr/business_links.h"
#include "lib/cluster/rendezvous.h"
#include "lib/runtime/event_loop.h"
#include "proto/connmgr_business.pb.h"
#include "tests/connmgr/fake_business.h"

namespace connmgr {

// Waits for what some loop makes true.
template <typename Condition>
testing::AssertionResult Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure() << "late";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return testing::AssertionSuccess();
}

// A stream as far as the links care. Lives on the manager's loop.
struct TestStream final : LinkClient {
  struct Written {
    std::string body, to;
    uint32_t splice_offset;
  };

  void OnNegotiated(const xylem::v1::Negotiated& answer) override { answers.push_back(answer); }
  void OnNegotiationLost() override { ++lost; }
  TakenOutcome OnDeliver(std::string_view body, uint32_t splice_offset,
                         std::string_view to) override {
    if (outcome == TakenOutcome::kTaken) {
      written.push_back({std::string(body), std::string(to), splice_offset});
    }
    return outcome;
  }
  void OnEnabled(std::string_view element) override { OnNonza(element); }
  void OnNonza(std::string_view element) override {
    written.push_back({std::string(element), {}, 0});
  }
  size_t WriteRoom() const override { return room; }
  void OnWindowOpen() override {
    ++opened;
    full = false;
  }
  void OnCloseOrder(xmpp::StreamError error, bool fenced) override {
    orders.emplace_back(error.condition, fenced);
  }

  uint64_t number = 0;
  uint64_t submitted = 0;
  bool full = false;
  size_t room = SIZE_MAX;
  TakenOutcome outcome = TakenOutcome::kTaken;
  std::vector<xylem::v1::Negotiated> answers;
  std::vector<Written> written;
  std::vector<std::pair<xmpp::StreamCondition, bool>> orders;
  int lost = 0, opened = 0;
};

class LinksTest : public testing::Test {
 protected:
  ~LinksTest() override {
    manager.RunOn(0, [this] { links = nullptr; });
  }

  // Runs `what` on the manager's loop and gives what it gives.
  template <typename F>
  auto On(F what) {
    using R = decltype(what());
    if constexpr (std::is_void_v<R>) {
      manager.RunOn(0, [&] { what(); });
    } else {
      R result{};
      manager.RunOn(0, [&] { result = what(); });
      return result;
    }
  }
  template <typename F>
  testing::AssertionResult EventuallyOn(F what) {
    return Eventually([&] { return On(what); });
  }

  void StartLinks(std::vector<std::string> addresses, LinkLimits limits = {}) {
    BusinessLinks::Options options;
    options.instance = "connmgr-1";
    options.incarnation = 77;
    options.addresses = std::move(addresses);
    options.resolve = std::chrono::milliseconds(100);
    options.limits = limits;
    On([&] {
      links = BusinessLinks::Create(&manager.at(0), options);
      links->OnDomains([this](const std::vector<std::string>& told) { domains.push_back(told); });
      links->Start();
    });
  }

  testing::AssertionResult Live(int n) {
    return EventuallyOn([&] { return links->live() == n; });
  }

  TestStream* NewStream() {
    streams.push_back(std::make_unique<TestStream>());
    TestStream* stream = streams.back().get();
    On([&] {
      stream->number = links->Register(stream);
      xylem::v1::Opened opened;
      opened.set_domain("localhost");
      links->Open(stream->number, opened);
    });
    return stream;
  }

  // Through SASL to a bound session of `account`.
  TestStream* NewSession(const std::string& account) {
    TestStream* stream = NewStream();
    const auto answered = [&](size_t n) {
      return EventuallyOn([&] { return stream->answers.size() == n; });
    };
    EXPECT_TRUE(answered(1));
    On([&] { links->Negotiate(stream->number, account, "urn:sasl", "auth"); });
    EXPECT_TRUE(answered(2));
    On([&] { links->Open(stream->number, {}); });
    EXPECT_TRUE(answered(3));
    On([&] { links->Negotiate(stream->number, "<iq/>", "urn:bind", "iq"); });
    EXPECT_TRUE(answered(4));
    EXPECT_EQ(On([&] { return stream->answers.back().outcome(); }), xylem::v1::Negotiated::BOUND);
    return stream;
  }

  BusinessLinks::Window Submit(TestStream* stream, const std::string& body) {
    xmpp::Stanza stanza;
    stanza.bytes = body;
    return On([&] { return links->Submit(stream->number, stanza); });
  }
  uint32_t Unaccepted(TestStream* stream) {
    return On([&] { return links->Unaccepted(stream->number); });
  }
  BusinessLinks::Stats stats() {
    return On([&] { return links->stats(); });
  }

  // An account that is at home on business-1 or business-2, when both live.
  static std::string AccountAt(int business, int skip = 0) {
    for (int i = 0;; ++i) {
      std::string account = "user" + std::to_string(i) + "@localhost";
      const int home = cluster::RendezvousChoose({"business-1", "business-2"}, account);
      if (home == business - 1 && skip-- == 0) return account;
    }
  }

  runtime::LoopGroup manager{"manager", 1};
  std::unique_ptr<BusinessLinks> links;
  std::vector<std::unique_ptr<TestStream>> streams;
  std::vector<std::vector<std::string>> domains;  // each list that was told; of the loop
};

}  // namespace connmgr
