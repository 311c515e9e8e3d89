// A LinkServer on two loops, and what its managers made it say.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "tests/business/link/fake_manager.h"

namespace business {

// Of all loops, in the order of time. Thread-safe.
class EventLog {
 public:
  void Add(std::string line) {
    std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  size_t size() const { return lines().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// One loop's events as lines.
class EventRecorder final : public ManagerEvents {
 public:
  EventRecorder(int loop, EventLog* log) : loop_(loop), log_(log) {}
  using Link = const ManagerLinkPtr&;
  void OnOpened(Link, const xylem::v1::Opened& i) override { Add("opened", i); }
  void OnNegotiate(Link, const xylem::v1::Negotiate& i) override {
    log_->Add("negotiate " + i.name());
  }
  void OnSubmit(Link, xylem::v1::Submit& i) override {
    const std::string body = std::move(*i.mutable_envelope()->mutable_body());
    log_->Add("submit " + std::to_string(i.in_seq()) + " " + body);
  }
  void OnPull(Link, const xylem::v1::Pull& i) override { Add("pull", i); }
  void OnClientAck(Link, const xylem::v1::ClientAck& i) override { Add("client_ack", i); }
  void OnAnnounce(Link, const xylem::v1::Announce& i) override { Add("announce", i); }
  void OnClosed(Link, const xylem::v1::Closed& i) override { Add("closed", i); }
  void OnMoved(Link, const xylem::v1::Moved& i) override { Add("moved", i); }
  void OnLinkUp(Link link) override {
    log_->Add("up " + link->manager() + " on " + std::to_string(loop_));
    std::lock_guard lock(mutex_);
    links_.push_back(link);
  }
  void OnLinkDown(Link link) override {
    log_->Add(std::string("down ") + link->manager() + " on " + std::to_string(loop_) +
              (link->alive() ? " alive" : ""));
  }
  // The n-th that came up on this loop.
  ManagerLinkPtr link(size_t n = 0) const {
    std::lock_guard lock(mutex_);
    return links_.at(n);
  }

 private:
  template <typename Item>
  void Add(const char* name, const Item& item) {
    log_->Add(std::string(name) + " " + std::to_string(item.connection()));
  }

  const int loop_;
  EventLog* const log_;
  mutable std::mutex mutex_;
  std::vector<ManagerLinkPtr> links_;
};

class LinkServerTest : public testing::Test {
 protected:
  static constexpr int kLoops = 2;

  void SetUp() override {
    for (int i = 0; i < kLoops; ++i) {
      recorders_.push_back(std::make_unique<EventRecorder>(i, &log_));
    }
    server_ = StartServer("127.0.0.1:0");
    ASSERT_NE(server_, nullptr);
  }
  void TearDown() override {
    managers_.clear();
    if (server_) server_->Shutdown();
    loops_.StopAndJoin();
    server_ = nullptr;
  }

  std::unique_ptr<LinkServer> StartServer(const std::string& address) {
    return LinkServer::Start({.instance = "business-1",
                              .incarnation = 77,
                              .domains = {"example.org", "localhost"},
                              .rpc = {.address = address}},
                             &loops_, {recorders_[0].get(), recorders_[1].get()}, {});
  }
  // Streams are given to the loops in turn: the first one to loop 0.
  FakeManager& Connect() {
    return *managers_.emplace_back(std::make_unique<FakeManager>(&peers_, server_->port()));
  }
  FakeManager& Attach(const std::string& instance, uint64_t incarnation, uint32_t loop) {
    FakeManager& manager = Connect();
    manager.Attach(instance, incarnation, loop);
    // Every loop has heard of it.
    for (int i = 0; i < kLoops; ++i) loops_.RunOn(i, [] {});
    return manager;
  }
  static DeliverTarget To(const std::string& manager, uint64_t incarnation, uint64_t connection) {
    return {.owner = {manager, incarnation, connection, 5},
            .to = "juliet@localhost/" + std::to_string(connection & 0xffff),
            .effect = std::string(17, 'e')};
  }
  // Delivers from `loop` and waits for the outcomes.
  std::vector<DeliverOutcome> Deliver(int loop, const std::string& body,
                                      std::vector<DeliverTarget> targets) {
    struct {
      std::atomic<bool> done{false};
      std::vector<DeliverOutcome> outcomes;
      bool inside = false, early = false;
    } state;
    loops_.RunOn(loop, [&] {
      state.inside = true;
      server_->links(loop).Deliver({.bytes = body, .splice_offset = 8}, std::move(targets),
                                   [&, loop](const std::vector<DeliverOutcome>& outcomes) {
                                     EXPECT_TRUE(loops_.at(loop).InLoop());
                                     state.early = state.inside;
                                     state.outcomes = outcomes;
                                     state.done = true;
                                   });
      state.inside = false;
    });
    EXPECT_TRUE(Eventually([&] { return state.done.load(); }));
    EXPECT_FALSE(state.early) << "done was called inside Deliver";
    return state.outcomes;
  }

  runtime::LoopGroup loops_{"link", kLoops};
  runtime::LoopGroup peers_{"peer", 1};
  EventLog log_;
  std::vector<std::unique_ptr<EventRecorder>> recorders_;
  std::unique_ptr<LinkServer> server_;
  std::vector<std::unique_ptr<FakeManager>> managers_;
};

}  // namespace business
