// One loop's share of the links: the streams that live here and the deliveries issued here.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "business/link/attach_directory.h"
#include "business/link/issued_deliveries.h"
#include "business/link/manager_links.h"
#include "business/link/manager_stream.h"
#include "business/link/route_table.h"
#include "lib/runtime/event_loop.h"

namespace business {

class LoopLinks;

// What the loops share. Outlives them.
struct LinkProcess {
  LinkServer::Options options;
  runtime::LoopGroup* loops = nullptr;
  std::vector<ManagerEvents*> events;             // by loop
  std::vector<std::unique_ptr<LoopLinks>> links;  // by loop
  AttachDirectory directory;
  std::atomic<uint64_t> next_stream{1};
  std::atomic<bool> shut_down{false};

  void StreamOpened();
  void StreamOver();
  // Until no stream is open, or `patience` is over.
  void AwaitStreams(std::chrono::milliseconds patience);

 private:
  std::mutex mutex_;  // when a stream comes or goes
  std::condition_variable none_open_;
  int open_streams_ = 0;
};

// Lives on its loop.
class LoopLinks final : public ManagerLinks, public ManagerStream::Home {
 public:
  LoopLinks(LinkProcess* process, int loop);
  ~LoopLinks() override;

  void Accept(std::unique_ptr<runtime::RpcStream> rpc);
  void SetGeneration(uint64_t generation);
  void SetDraining(bool draining);
  void SetDomains(std::vector<std::string> domains);
  void DrainManager(const std::string& manager, bool undrain);
  // Every link goes down; what is queued may still leave. No event after this.
  void CloseStreams();
  // … and what is left is cut.
  void CutStreams();

  // ManagerLinks
  void Deliver(DeliverBody body, std::vector<DeliverTarget> targets, Done done) override;
  void Close(const cluster::Owner& owner, xmpp::StreamError error) override;
  void AskTaken() override;
  bool IsLinked(const std::string& manager, uint64_t incarnation) const override;

  LinkLoopCounters& counters() override { return counters_; }  // any thread

 private:
  // To one other loop, collected in a turn.
  struct Mail {
    std::vector<HandedOver> deliveries;
    std::vector<PartResult> results;
    std::vector<uint64_t> asked;  // streams
    size_t bytes = 0;             // of the deliveries
  };
  // The targets of one delivery that go to one manager loop.
  struct Group {
    Route* route = nullptr;
    std::vector<uint32_t> index;
    std::vector<DeliverTarget> targets;
    size_t bytes = 0;
  };
  struct MailRun : runtime::TurnEnd {
    explicit MailRun(LoopLinks* l)
        : TurnEnd([](TurnEnd* end) { static_cast<MailRun*>(end)->links->SendMail(); }), links(l) {}
    LoopLinks* links;
  };
  struct TickTimer : runtime::Timer {
    explicit TickTimer(LoopLinks* l)
        : Timer([](Timer* timer) { static_cast<TickTimer*>(timer)->links->Tick(); }), links(l) {}
    LoopLinks* links;
  };

  // ManagerStream::Home
  runtime::EventLoop& loop() override { return loop_; }
  ManagerEvents& events() override { return *process_->events[index_]; }
  xylem::v1::Hello OurHello() override;
  void OnHello(const std::shared_ptr<ManagerStream>& stream) override;
  void OnUp(const std::shared_ptr<ManagerStream>& stream) override;
  void OnDown(const std::shared_ptr<ManagerStream>& stream) override;
  void OnReleased(const ManagerStream& stream) override;
  void OnOver(const std::shared_ptr<ManagerStream>& stream) override;
  void OnAnswered(PartResult result) override;

  Route* RouteOf(const DeliverTarget& target) const;
  bool OneRoute(const std::vector<DeliverTarget>& targets, Route** route) const;
  std::vector<Group> GroupByRoute(std::vector<DeliverTarget> targets) const;
  void SendPart(const DeliveryRef& ref, Route* route, std::shared_ptr<const DeliverBody> body,
                std::vector<DeliverTarget> targets);
  void HandOver(const Route& route, HandedOver item);
  Mail& MailFor(int loop);
  void SendMail();
  void OnMail(Mail mail);
  void Tell(const xylem::v1::Control& control);  // to every manager linked here
  void Tick();
  template <typename Work>
  void OnOtherLoops(Work work);
  template <typename Work>
  void ForEachStream(Work work);

  LinkProcess* const process_;
  const size_t index_;
  runtime::EventLoop& loop_;
  LinkLoopCounters counters_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<ManagerStream>> streams_;  // by id
  RouteTable routes_;
  IssuedDeliveries issued_;
  std::vector<Mail> mail_;  // by loop
  MailRun mail_run_;
  TickTimer tick_;
  // Handed over to this loop and not handled yet.
  std::atomic<uint64_t> inbound_bytes_{0};
  bool closed_ = false;
  uint64_t generation_ = 0;
  bool draining_ = false;
  std::vector<std::string> domains_;
  std::set<std::pair<std::string, uint64_t>> drained_;  // managers' runs an operator has drained
};

}  // namespace business
