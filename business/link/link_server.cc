#include <utility>

#include "business/link/loop_links.h"
#include "business/link/manager_links.h"
#include "lib/runtime/check.h"

namespace business {
namespace {

constexpr char kAttach[] = "/xylem.v1.ConnmgrBusiness/Attach";
// At shutdown: for what is queued to leave.
constexpr std::chrono::milliseconds kLinger{1000};

class Server final : public LinkServer {
 public:
  Server(Options options, runtime::LoopGroup* loops, std::vector<ManagerEvents*> events) {
    CHECK(events.size() == static_cast<size_t>(loops->size()));
    process_.options = std::move(options);
    process_.loops = loops;
    process_.events = std::move(events);
    for (int i = 0; i < loops->size(); ++i) {
      process_.links.push_back(std::make_unique<LoopLinks>(&process_, i));
    }
  }
  ~Server() override { Shutdown(); }

  bool Listen(runtime::RpcServer::Unary unary) {
    rpc_ = runtime::RpcServer::Start(
        process_.options.rpc, process_.loops, {kAttach},
        [this](runtime::EventLoop& loop, std::unique_ptr<runtime::RpcStream> stream) {
          At(loop.index()).Accept(std::move(stream));
        },
        std::move(unary));
    return rpc_ != nullptr;
  }

  ManagerLinks& links(int loop) override { return At(loop); }
  int port() const override { return rpc_->port(); }

  void SetGeneration(uint64_t generation) override {
    OnEachLoop([generation](LoopLinks& links) { links.SetGeneration(generation); });
  }
  void SetDraining(bool draining) override {
    OnEachLoop([draining](LoopLinks& links) { links.SetDraining(draining); });
  }
  void SetDomains(std::vector<std::string> domains) override {
    OnEachLoop([domains](LoopLinks& links) { links.SetDomains(domains); });
  }
  void DrainManager(const std::string& manager, bool undrain) override {
    OnEachLoop([manager, undrain](LoopLinks& links) { links.DrainManager(manager, undrain); });
  }
  std::vector<ManagerInfo> managers() const override { return process_.directory.managers(); }

  void Shutdown() override {
    if (std::exchange(shut_down_, true)) return;
    for (int i = 0; i < process_.loops->size(); ++i) {
      process_.loops->RunOn(i, [this, i] { At(i).CloseStreams(); });
    }
    process_.AwaitStreams(kLinger);
    if (rpc_ != nullptr) rpc_->Shutdown();
    for (int i = 0; i < process_.loops->size(); ++i) {
      process_.loops->RunOn(i, [this, i] { At(i).CutStreams(); });
    }
  }

  Stats stats() const override {
    Stats sum;
    for (const auto& links : process_.links) {
      const LinkLoopCounters& one = links->counters();
      sum.frames_in += one.link.frames_in.value();
      sum.items_in += one.link.items_in.value();
      sum.frames_out += one.link.frames_out.value();
      sum.items_out += one.link.items_out.value();
      sum.bytes_out += one.link.bytes_out.value();
      sum.handed_over += one.handed_over.value();
      sum.refused_full += one.refused_full.value();
      sum.protocol_errors += one.protocol_errors.value();
    }
    return sum;
  }

 private:
  LoopLinks& At(int loop) { return *process_.links[static_cast<size_t>(loop)]; }
  template <typename Work>
  void OnEachLoop(Work work) {
    for (int i = 0; i < process_.loops->size(); ++i) {
      process_.loops->at(i).Post([links = &At(i), work] { work(*links); });
    }
  }

  LinkProcess process_;
  std::unique_ptr<runtime::RpcServer> rpc_;
  bool shut_down_ = false;
};

}  // namespace

std::unique_ptr<LinkServer> LinkServer::Start(Options options, runtime::LoopGroup* loops,
                                              std::vector<ManagerEvents*> events,
                                              runtime::RpcServer::Unary unary) {
  auto server = std::make_unique<Server>(std::move(options), loops, std::move(events));
  if (!server->Listen(std::move(unary))) return nullptr;
  return server;
}

}  // namespace business
