#include "business/redis_metrics.h"

#include <utility>

#include "lib/runtime/metrics.h"

namespace business {
namespace {

using runtime::Metrics;
using runtime::RedisClient;
using Clients = std::vector<RedisClient*>;

struct RedisNumber {
  const char* name;
  const char* help;
  uint64_t RedisClient::Stats::*number;
};

constexpr RedisNumber kRedisCounters[] = {
    {"xylem_redis_commands_total", "Commands given to Redis", &RedisClient::Stats::commands},
    {"xylem_redis_replies_total", "Replies that came in time", &RedisClient::Stats::replies},
    {"xylem_redis_errors_total", "Replies that were errors", &RedisClient::Stats::errors},
    {"xylem_redis_timeouts_total", "Commands whose outcome is unknown",
     &RedisClient::Stats::timeouts},
    {"xylem_redis_refused_total", "Commands refused: circuit open, or too many outstanding",
     &RedisClient::Stats::refused},
    {"xylem_redis_circuit_opened_total", "Times the circuit opened",
     &RedisClient::Stats::circuit_opened},
    {"xylem_redis_reconnects_total", "Connections made again", &RedisClient::Stats::reconnects},
    {"xylem_redis_redirects_total", "MOVED and ASK", &RedisClient::Stats::redirects},
    {"xylem_redis_writes_total", "Writes to sockets; commands per write is the pipeline's depth",
     &RedisClient::Stats::writes},
};

uint64_t Sum(const Clients& clients, uint64_t RedisClient::Stats::*number) {
  uint64_t sum = 0;
  for (const RedisClient* client : clients) sum += client->stats().*number;
  return sum;
}

std::vector<double> LatencyBoundsInSeconds() {
  std::vector<double> bounds;
  for (uint64_t us : RedisClient::kLatencyBucketsUs) bounds.push_back(static_cast<double>(us) / 1e6);
  return bounds;
}

runtime::Histogram::Snapshot Latency(const Clients& clients) {
  runtime::Histogram::Snapshot all{
      std::vector<uint64_t>(RedisClient::kLatencyBucketsUs.size() + 1), 0, 0};
  for (const RedisClient* client : clients) {
    const RedisClient::Stats stats = client->stats();
    all.sum += static_cast<double>(stats.latency_us_sum) / 1e6;
    for (size_t i = 0; i < all.buckets.size() && i < stats.latency_us_buckets.size(); ++i) {
      all.buckets[i] += stats.latency_us_buckets[i];
      all.count += stats.latency_us_buckets[i];
    }
  }
  return all;
}

}  // namespace

void AddRedisMetrics(Clients clients) {
  Metrics& page = Metrics::Get();
  for (const RedisNumber& row : kRedisCounters) {
    page.AddCounterFunction(row.name, row.help, {}, [clients, number = row.number] {
      return static_cast<double>(Sum(clients, number));
    });
  }
  page.AddGaugeFunction("xylem_redis_outstanding", "Commands without a reply yet", {}, [clients] {
    return static_cast<double>(Sum(clients, &RedisClient::Stats::outstanding));
  });
  page.AddHistogramFunction("xylem_redis_command_seconds", "From the write to the reply",
                            LatencyBoundsInSeconds(), {},
                            [clients] { return Latency(clients); });
}

}  // namespace business
