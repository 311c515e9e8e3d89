// Who is connected anywhere in the cluster, for operators.
#pragma once

#include <string>
#include <vector>

#include "lib/cluster/session_registry.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

// Lives on a loop; holds nothing.
class SessionSurvey {
 public:
  SessionSurvey(cluster::SessionRegistry* registry, runtime::RedisClient* redis)
      : registry_(registry), redis_(redis) {}

  struct Row {
    std::string jid;  // full
    cluster::SessionRecord record;
  };
  using Rows = std::vector<Row>;
  // One pipeline.
  runtime::Task<runtime::Result<Rows>> RowsOf(std::vector<xmpp::BareJid> accounts);
  // A walk through the managers' sets of accounts, no snapshot; stops once there are `enough`.
  runtime::Task<runtime::Result<Rows>> AllRows(size_t enough);

 private:
  cluster::SessionRegistry* const registry_;
  runtime::RedisClient* const redis_;
};

}  // namespace business
