// A manager's end of Attach streams, driven by a test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_batch.h"
#include "proto/connmgr_business.pb.h"

namespace business {

// Waits for `condition`, which some loop makes true.
template <typename Condition>
testing::AssertionResult Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure() << "late";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return testing::AssertionSuccess();
}

inline uint64_t Connection(uint32_t manager_loop, uint64_t n) {
  return uint64_t{manager_loop} << 56 | n;
}

// One stream. Lives on the loop of `group`; the functions may be called from the test's thread.
class FakeManager {
 public:
  std::vector<std::string> features;  // that it says it understands
  using Refuse = std::function<xylem::v1::Taken::Refused::Reason(const xylem::v1::Target&)>;

  FakeManager(runtime::LoopGroup* group, int port) : group_(group) {
    OnLoop([&] {
      client_ = runtime::RpcClient::Create(&group_->at(0), {});
      batch_ = std::make_unique<runtime::RpcBatch>(&group_->at(0), &counters_);
      rpc_ = client_->Open("127.0.0.1:" + std::to_string(port), "/xylem.v1.ConnmgrBusiness/Attach");
      batch_->Attach(rpc_.get());
      rpc_->Start({.on_frame = [this](std::string_view frame) { OnFrame(frame); },
                   .on_writable =
                       [this] {
                         if (raw_.empty()) return batch_->OnWritable();
                         rpc_->Send(std::exchange(raw_, {}));
                       },
                   .on_closed =
                       [this](std::string) {
                         std::lock_guard lock(mutex_);
                         closed_ = true;
                       }});
    });
  }
  ~FakeManager() {
    OnLoop([&] {
      batch_->Attach(nullptr);
      batch_ = nullptr;
      rpc_ = nullptr;
      client_ = nullptr;
    });
  }

  void Hello(const std::string& instance, uint64_t incarnation, uint32_t loop, uint32_t min = 1,
             uint32_t max = 1) {
    xylem::v1::Hello hello;
    hello.set_protocol_min(min);
    hello.set_protocol_max(max);
    hello.set_instance(instance);
    hello.set_incarnation(incarnation);
    hello.set_loop(loop);
    for (const std::string& feature : features) hello.add_features(feature);
    OnLoop([&] { batch_->AddHello(hello); });
  }
  // Hello, and waits for the answer.
  void Attach(const std::string& instance, uint64_t incarnation, uint32_t loop) {
    Hello(instance, incarnation, loop);
    ASSERT_TRUE(Eventually([&] { return hellos() == 1; }));
  }
  template <typename Item>
  void Send(int field, const Item& item) {
    OnLoop([&] { batch_->Add(field, item); });
  }
  // A frame as it is; nothing else may be on its way.
  void SendRaw(std::string frame) {
    OnLoop([&] {
      if (rpc_->writable()) {
        rpc_->Send(std::move(frame));
      } else {
        raw_ = std::move(frame);
      }
    });
  }
  void Close() {
    OnLoop([&] { rpc_->Close(); });
  }
  // Answers each Deliver from now on, at the end of the frame it came in.
  void TakeAll(Refuse refuse = {}) {
    OnLoop([&] {
      taking_ = true;
      refuse_ = std::move(refuse);
      Take();
    });
  }
  template <typename Work>
  void OnLoop(Work work) {
    group_->RunOn(0, [&] { work(); });
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  size_t hellos() const {
    std::lock_guard lock(mutex_);
    return hellos_.size();
  }
  xylem::v1::Hello hello() const {
    std::lock_guard lock(mutex_);
    return hellos_.at(0);
  }
  // What came behind Hello.
  std::vector<xylem::v1::Down> downs() const {
    std::lock_guard lock(mutex_);
    return downs_;
  }
  std::vector<xylem::v1::Deliver> delivers() const {
    std::lock_guard lock(mutex_);
    std::vector<xylem::v1::Deliver> found;
    for (const auto& down : downs_) {
      if (down.has_deliver()) found.push_back(down.deliver());
    }
    return found;
  }
  size_t count() const {
    std::lock_guard lock(mutex_);
    return downs_.size();
  }
  // Frames that held a hello and something else, or a hello that was not the first frame.
  int misplaced_hellos() const {
    std::lock_guard lock(mutex_);
    return misplaced_hellos_;
  }

 private:
  void OnFrame(std::string_view bytes) {
    xylem::v1::BusinessFrame frame;
    ASSERT_TRUE(frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    {
      std::lock_guard lock(mutex_);
      const bool first = frames_++ == 0;
      if (frame.has_hello()) {
        if (!first || frame.down_size() > 0) ++misplaced_hellos_;
        hellos_.push_back(frame.hello());
      } else if (first) {
        ++misplaced_hellos_;
      }
      for (auto& down : *frame.mutable_down()) {
        if (down.has_deliver()) untaken_.push_back(down.deliver());
        downs_.push_back(std::move(down));
      }
    }
    if (taking_) Take();
  }
  void Take() {
    if (untaken_.empty()) return;
    xylem::v1::Taken taken;
    for (const auto& deliver : untaken_) {
      taken.set_up_to(deliver.number());
      for (int i = 0; refuse_ && i < deliver.targets_size(); ++i) {
        const auto reason = refuse_(deliver.targets(i));
        if (reason == xylem::v1::Taken::Refused::REASON_UNSPECIFIED) continue;
        auto* refused = taken.add_refused();
        refused->set_number(deliver.number());
        refused->set_target(static_cast<uint32_t>(i));
        refused->set_reason(reason);
      }
    }
    untaken_.clear();
    batch_->Add(xylem::v1::Up::kTaken, taken);
  }

  runtime::LoopGroup* const group_;
  runtime::LinkCounters counters_;
  std::unique_ptr<runtime::RpcClient> client_;
  std::unique_ptr<runtime::RpcBatch> batch_;
  std::unique_ptr<runtime::RpcStream> rpc_;
  std::string raw_;
  bool taking_ = false;
  Refuse refuse_;
  std::vector<xylem::v1::Deliver> untaken_;

  mutable std::mutex mutex_;
  bool closed_ = false;
  int frames_ = 0, misplaced_hellos_ = 0;
  std::vector<xylem::v1::Hello> hellos_;
  std::vector<xylem::v1::Down> downs_;
};

}  // namespace business
