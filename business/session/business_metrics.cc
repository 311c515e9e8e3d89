#include "business/session/business_metrics.h"

#include <map>
#include <string>

namespace business {
namespace {

runtime::Counter& Count(const char* name, const char* help, const runtime::Labels& labels = {}) {
  return runtime::Metrics::Get().GetCounter(name, help, labels);
}

// Counts microseconds, is told in seconds. Lives as long as the process; made at start-up only.
runtime::Counter& SampledTime(const char* stage) {
  static auto& counters = *new std::map<std::string, runtime::Counter>;
  const auto [it, first] = counters.try_emplace(stage);
  const runtime::Counter& us = it->second;
  if (first) {
    runtime::Metrics::Get().AddCounterFunction(
        "xylem_business_stage_sampled_seconds_total",
        "Time of sampled stanzas by stage; parse is CPU, the others are waits", {{"stage", stage}},
        [&us] { return 1e-6 * static_cast<double>(us.value()); });
  }
  return it->second;
}

}  // namespace

BusinessMetrics::BusinessMetrics()
    : sessions(runtime::Metrics::Get().GetGauge("xylem_business_sessions",
                                                "Sessions whose home is this process")),
      binds(Count("xylem_business_binds_total", "Resources bound")),
      replaced(Count("xylem_business_replaced_total", "Sessions replaced by a newer one")),
      announced(Count("xylem_business_announced_total", "Sessions announced by managers")),
      ended(Count("xylem_business_ended_total", "Sessions ended")),
      hibernated(Count("xylem_business_hibernated_total",
                       "Sessions without a socket that wait for their client")),
      resumed(Count("xylem_business_resumed_total", "Sessions resumed")),
      resumptions_refused(Count("xylem_business_resumptions_refused_total",
                                "Resumptions that were answered <failed/>")),
      timed_out(Count("xylem_business_hibernation_timeouts_total",
                      "Hibernated sessions whose client did not come back in time")),
      overflowed(Count("xylem_business_outbox_overflows_total",
                       "Sessions closed or ended because their outbox was full")),
      undelivered(Count("xylem_business_undelivered_total",
                        "Stanzas that ended sessions had not confirmed")),
      fenced(Count("xylem_business_fenced_total", "Sessions that no longer own their record")),
      gaps(Count("xylem_business_gaps_total", "Submissions refused: not the successor")),
      repeated(Count("xylem_business_repeated_total", "Submissions already taken")),
      retries(Count("xylem_business_delivery_retries_total", "Deliveries tried again")),
      stale_rows(Count("xylem_business_stale_rows_total", "Registry rows found to be stale")),
      handler_exceptions(Count("xylem_business_handler_exceptions_total",
                               "Exceptions of feature handlers, answered internal-server-error")),
      routing_seconds(runtime::Metrics::Get().GetHistogram(
          "xylem_business_routing_seconds", "From a stanza's submission until it is finished",
          runtime::LatencyBounds())),
      sampled(Count("xylem_business_stage_samples_total", "Stanzas whose stages were timed")),
      sample_parse_us(SampledTime("parse")),
      sample_redis_us(SampledTime("redis_wait")),
      sample_deliver_us(SampledTime("deliver_wait")) {
  const char* kKinds[] = {"nonza", "message", "presence", "iq"};
  for (size_t i = 0; i < 4; ++i) {
    in[i] = &Count("xylem_business_stanzas_total", "Stanzas by kind and direction",
                   {{"kind", kKinds[i]}, {"direction", "in"}});
    out[i] = &Count("xylem_business_stanzas_total", "Stanzas by kind and direction",
                    {{"kind", kKinds[i]}, {"direction", "out"}});
  }
}

void BusinessMetrics::CountError(std::string_view condition) {
  Count("xylem_business_errors_total", "Stanza errors sent, by condition",
        {{"condition", std::string(condition)}})
      .Add();
}

void BusinessMetrics::CountDrop(std::string_view reason) {
  Count("xylem_business_drops_total", "Stanzas dropped as the rules say, by reason",
        {{"reason", std::string(reason)}})
      .Add();
}

}  // namespace business
