// What one event loop of a business server holds: its shard, and all that works on it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "business/auth/account_admin.h"
#include "business/auth/account_cache.h"
#include "business/auth/authenticator.h"
#include "business/auth/password_workers.h"
#include "business/features/registrar.h"
#include "business/link_observer.h"
#include "business/presence/presence_service.h"
#include "business/presence/roster_cache.h"
#include "business/routing/feature_set.h"
#include "business/routing/server_request.h"
#include "business/routing/stanza_dispatcher.h"
#include "business/session/ownership_guard.h"
#include "business/session/session_commits.h"
#include "business/session/session_service.h"
#include "business/session/session_table.h"
#include "business/session/shard.h"
#include "business/settings.h"
#include "business/store/loop_stores.h"

namespace business {

// Made on its loop, destroyed when the loops have stopped. Members stand in the order in which they
// need each other.
class BusinessLoop {
 public:
  // Of the process; all outlive the loops.
  struct Shared {
    const Settings* settings;
    Store* store;
    PasswordWorkers* workers;
    const cluster::TicketSealer* sealer;
    BusinessMetrics* metrics;
    LinkObserver::OnChange on_link;
  };
  BusinessLoop(runtime::EventLoop* loop, const Shared& shared);

  // Normalised, all that are served from now on.
  void SetDomains(const std::vector<std::string>& domains);
  // Before the first manager is heard.
  void SetLinks(ManagerLinks* links) { shard_.links = links; }

  ManagerEvents& events() { return observer_; }
  runtime::RedisClient& redis() { return *redis_; }
  cluster::SessionRegistry& registry() { return registry_; }
  AccountStore& account_store() { return *stores_.accounts; }
  AccountAdmin& account_admin() { return account_admin_; }
  PresenceService& presence() { return presence_; }
  Shard& shard() { return shard_; }
  SessionTable& sessions() { return sessions_; }
  void SetGeneration(uint64_t generation);
  const FeatureSet& features() const { return features_; }

 private:
  static std::shared_ptr<const cluster::TicketSealer> CommandSealer(const Settings& settings);
  static Authenticator::Options LoginOptions(const Settings& settings, Registrar* registrar);
  static SessionService::Options SessionOptions(const Settings& settings,
                                                const FeatureSet& features);

  Shard shard_;
  std::unique_ptr<runtime::RedisClient> redis_;
  cluster::SessionRegistry registry_;
  cluster::Outbox outbox_;
  cluster::ClusterIdMaker ids_;
  GenerationWatch generation_;
  SessionTable sessions_;
  SessionCommits commits_;
  ServerRequests requests_;
  OwnershipGuard guard_;
  LoopStores stores_;
  RosterCache rosters_;
  FeatureSet features_;
  PresenceService presence_;
  StanzaDispatcher dispatcher_;
  AccountCache account_cache_;
  AccountAdmin account_admin_;
  Registrar registrar_;
  std::unique_ptr<Authenticator> authenticator_;
  SessionService session_service_;
  LinkObserver observer_;
};

}  // namespace business
