// The store of a business server, behind the typed stores: which engine, and its threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "business/store/account_data_store.h"
#include "business/store/account_store.h"
#include "business/store/archive_store.h"
#include "business/store/domain_store.h"
#include "business/store/offline_store.h"
#include "business/store/owner_store.h"
#include "business/store/pubsub_store.h"
#include "business/store/roster_store.h"
#include "business/store/store_inspection.h"
#include "lib/cluster/generation.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace business {

// One per process; make it before the typed stores and destroy it before the loops that asked.
class Store {
 public:
  struct Options {
    std::string url;       // sqlite:PATH, postgresql://…
    std::string password;  // of PostgreSQL; empty: what libpq finds by itself
    std::chrono::milliseconds commit_delay{2};
    uint32_t commit_batch = 512;
    uint32_t queue = 20000;  // writes waiting, reads waiting
    uint32_t readers = 4;    // connections that read (PostgreSQL); one more writes
  };
  // Start-up only: blocks. The error is a sentence for people.
  static runtime::Result<std::unique_ptr<Store>> Open(const Options& options);
  virtual ~Store() = default;

  // Each lives on `loop` and must not outlive this.
  virtual std::unique_ptr<AccountStore> Accounts(runtime::EventLoop* loop) = 0;
  virtual std::unique_ptr<cluster::GenerationStore> Generations(runtime::EventLoop* loop) = 0;

  virtual std::unique_ptr<OwnerStore> Owners(runtime::EventLoop* loop) = 0;
  virtual std::unique_ptr<RosterStore> Rosters(runtime::EventLoop* loop) = 0;
  virtual std::unique_ptr<OfflineStore> Offline(runtime::EventLoop* loop) = 0;
  virtual std::unique_ptr<ArchiveStore> Archives(runtime::EventLoop* loop) = 0;
  virtual std::unique_ptr<AccountDataStore> AccountData(runtime::EventLoop* loop) = 0;
  virtual std::unique_ptr<PubsubStore> Pubsub(runtime::EventLoop* loop) = 0;
  virtual std::unique_ptr<DomainStore> Domains(runtime::EventLoop* loop) = 0;

  // Why nothing of it can be had just now, as far as is known; nullopt: it can. Any thread. Operations
  // wait for it (a failover takes a while); who cannot wait asks here.
  virtual std::optional<std::string> Trouble() const { return std::nullopt; }

  struct Report : StoreInspection {
    std::chrono::microseconds write{};  // from submission to synced
  };
  // For the doctor: writes a row and checks the store's integrity, on a thread of its own.
  virtual runtime::Task<runtime::Result<Report>> Check(runtime::EventLoop* loop) = 0;
};

}  // namespace business
