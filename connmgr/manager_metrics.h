// The metrics page of a manager: what the loops count, summed, with names and help.
#pragma once

#include <vector>

#include "connmgr/admission.h"
#include "connmgr/certificates.h"
#include "connmgr/connmgr_loop.h"
#include "connmgr/drain.h"
#include "lib/runtime/admin_server.h"
#include "lib/runtime/redis_client.h"

namespace connmgr {

// What is measured; all of it outlives the last Metrics::Text. Build info, CPU and descriptors come
// from runtime::AddProcessMetrics, the loops' turns from runtime::AddLoopMetrics.
struct Measured {
  std::vector<ConnmgrLoop*> loops;
  const Admission* admission = nullptr;
  const Certificates* certificates = nullptr;
  const Drain* drain = nullptr;
  const runtime::Health* health = nullptr;
  const runtime::RedisClient* redis = nullptr;  // nullptr: not measured
};

// Call once.
void AddManagerMetrics(const Measured& measured);

}  // namespace connmgr
