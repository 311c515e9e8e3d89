// What lives on one event loop of a business server and is shared by all that runs there. Made by
// main, one per loop; every pointer is valid as long as the loop runs.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "business/session/business_metrics.h"
#include "business/session/generation_watch.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/outbox.h"
#include "lib/cluster/session_registry.h"
#include "lib/cluster/ticket_sealer.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"

namespace business {

class AccountAdmin;
class FeatureSet;
class ManagerLinks;
class OwnershipGuard;
class RosterLookup;
class ServerRequests;
class SessionCommits;
class SessionEvents;
class SessionTable;
struct LoopStores;

struct Shard {
  runtime::EventLoop* loop = nullptr;
  cluster::SessionRegistry* registry = nullptr;
  cluster::Outbox* outbox = nullptr;
  LoopStores* stores = nullptr;
  ManagerLinks* links = nullptr;
  cluster::ClusterIdMaker* ids = nullptr;
  const cluster::TicketSealer* sealer = nullptr;
  const FeatureSet* features = nullptr;
  SessionEvents* events = nullptr;
  SessionTable* sessions = nullptr;
  SessionCommits* commits = nullptr;
  OwnershipGuard* guard = nullptr;
  GenerationWatch* generation = nullptr;
  BusinessMetrics* metrics = nullptr;
  ServerRequests* requests = nullptr;
  AccountAdmin* accounts = nullptr;
  RosterLookup* rosters = nullptr;  // business/presence/roster_lookup.h
  // Takes contacts away that an account must not show itself to, nor be shown (blocking); may be
  // empty. `contacts` stays valid until the task is done.
  std::function<runtime::Task<void>(xmpp::BareJid account, std::vector<xmpp::BareJid>* contacts)>
      audience_filter;
  // For what is no session: caches that all business servers share.
  // Takes accounts away that do not want to hear of `from` (blocking); may be empty. As above.
  std::function<runtime::Task<void>(xmpp::Jid from, std::vector<xmpp::BareJid>* accounts)>
      listener_filter;
  runtime::RedisClient* redis = nullptr;
  // Stream management: how long a session waits for its client.
  struct Resumption {
    std::chrono::milliseconds usual{300000}, at_most{600000};
  };
  Resumption resumption{};
  std::vector<std::string> domains;  // that are served now

  bool Serves(std::string_view domain) const {
    for (const std::string& d : domains) {
      if (d == domain) return true;
    }
    return false;
  }
};

}  // namespace business
