// A business server's configuration, checked, as plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "business/auth/authenticator.h"
#include "business/features/service_options.h"
#include "business/history/history_options.h"
#include "business/pep/pep_options.h"
#include "business/store/store.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/admin_server.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/rpc.h"

namespace xylem::config {
class Business;
}

namespace business {

// Immutable once the loops run; shared by all of them.
struct Settings {
  using Ms = std::chrono::milliseconds;

  int loops = 1;
  std::vector<std::string> domains;  // normalised
  std::string secret;                // the cluster's: keys are derived from it by purpose
  runtime::RpcServer::Options rpc;
  Store::Options store;
  Ms cache_time{60000};
  runtime::RedisOptions redis;
  Authenticator::Options auth;
  int hash_threads = 1;
  uint32_t hash_queue = 256;
  uint32_t resources = 50;
  bool replace = true;
  HistoryOptions history;
  Ms resumption{300000};
  Ms resumption_max{600000};
  cluster::Outbox::Limits outbox;
  PepOptions pep;
  Ms lease{10000};
  Ms reap_interval{1000};
  runtime::AdminServer::Options admin;
  std::string admin_token;                  // for xylemctl
  std::vector<std::string> administrators;  // normalised bare JIDs
  ServiceOptions service;
  std::string text;                         // the configuration as YAML, secrets left out

  // Each problem is one sentence with its key path; empty = good.
  static std::vector<std::string> Read(const xylem::config::Business& config, Settings* settings);
};

}  // namespace business
