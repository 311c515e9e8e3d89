// A business server: its store, its loops, what runs once a process, and how it leaves.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "business/admin/admin_service.h"
#include "business/business_loop.h"
#include "business/domain_watch.h"
#include "business/history/archive_sweeper.h"
#include "business/readiness_watch.h"
#include "business/routing/undelivered.h"
#include "business/session/outbox_sweeper.h"
#include "business/settings.h"
#include "lib/cluster/business_lease.h"
#include "lib/cluster/generation.h"
#include "lib/cluster/lease.h"
#include "lib/runtime/admin_server.h"

namespace business {

// Everything is called on the main thread.
class Server {
 public:
  Server(const Settings& settings, std::string id);
  ~Server();

  // false: the store or an address cannot be had; the log says which.
  bool Start();
  // Takes no new sessions, waits until nobody waits for an answer and the managers have moved their
  // sessions away, at most kPatience. Then nothing runs any more.
  void Leave();

 private:
  static constexpr std::chrono::milliseconds kPatience{5000};

  void MakeLoops();
  bool AwaitDomains();
  bool Listen();
  void StartWatches();
  bool StartAdmin();
  void SetDraining(bool draining);
  runtime::HttpResponse Counts();
  struct Load {
    size_t sessions = 0, unaccepted = 0;
  };
  Load LoadNow();
  void ReleaseLease();
  void OnLink(const ManagerLink& link, bool up);
  void OnGeneration(uint64_t generation);
  void OnDomains(const std::vector<std::string>& domains);
  BusinessLoop& at(int loop) { return *business_[static_cast<size_t>(loop)]; }

  const Settings& settings_;
  const std::string id_;
  const uint64_t incarnation_;
  runtime::Health health_{{"config", "store", "redis", "rpc"}};
  cluster::TicketSealer sealer_;
  BusinessMetrics metrics_;
  // Destroyed from the bottom up, when the loops have stopped.
  runtime::LoopGroup loops_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<PasswordWorkers> workers_;
  std::vector<std::unique_ptr<BusinessLoop>> business_;
  std::unique_ptr<AdminService> admin_service_;
  std::unique_ptr<LinkServer> link_server_;
  std::atomic<LinkServer*> linked_{nullptr};  // link_server_, for the loops
  // On loop 0.
  std::unique_ptr<cluster::GenerationStore> generation_store_;
  std::unique_ptr<cluster::GenerationKeeper> keeper_;
  std::unique_ptr<cluster::Reaper> reaper_;
  std::unique_ptr<cluster::BusinessLease> lease_;
  std::unique_ptr<Undelivered> undelivered_;
  std::unique_ptr<OutboxSweeper> outboxes_;
  std::unique_ptr<ArchiveSweeper> archive_sweeper_;
  // These two read the store: they stay until the loops have stopped.
  std::unique_ptr<ReadinessWatch> readiness_;
  std::unique_ptr<DomainWatch> domain_watch_;
  std::promise<void> domains_known_;  // by the first OnDomains
  bool domains_told_ = false;
  // Health and metrics are told even if a loop is stuck.
  runtime::LoopGroup admin_loop_;
  std::unique_ptr<runtime::AdminServer> admin_;
};

}  // namespace business
