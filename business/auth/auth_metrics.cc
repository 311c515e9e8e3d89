#include "business/auth/auth_metrics.h"

#include <string>

#include "lib/xmpp/sasl/offer.h"

namespace business {
namespace {

runtime::Counter& Count(const char* name, const char* help) {
  return runtime::Metrics::Get().GetCounter(name, help);
}

std::string MechanismLabel(std::string_view mechanism) {
  const bool known = mechanism == "PLAIN" || xmpp::sasl::FindScram(mechanism).has_value();
  return known ? std::string(mechanism) : "other";
}

}  // namespace

AuthMetrics::AuthMetrics()
    : streams(runtime::Metrics::Get().GetGauge("xylem_auth_streams",
                                               "Streams that have not logged in yet")),
      delayed(Count("xylem_auth_delayed_total",
                    "Answers delayed because of failed attempts from the same address")),
      timed_out(Count("xylem_auth_timed_out_total", "Exchanges that were not finished in time")),
      refused_full(
          Count("xylem_auth_refused_full_total", "Streams refused because too many were open")) {}

void AuthMetrics::CountAttempt(std::string_view mechanism, std::string_view result) {
  runtime::Metrics::Get()
      .GetCounter("xylem_auth_attempts_total", "Attempts to log in by mechanism and result",
                  {{"mechanism", MechanismLabel(mechanism)}, {"result", std::string(result)}})
      .Add();
}

}  // namespace business
