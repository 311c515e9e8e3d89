// What /metrics shows of Redis: latency, circuit, pipeline.
#pragma once

#include <vector>

#include "lib/runtime/redis_client.h"

namespace business {

// xylem_redis_*, summed over the loops' clients, which outlive the last scrape.
void AddRedisMetrics(std::vector<runtime::RedisClient*> clients);

}  // namespace business
