// What is counted of logins.
#pragma once

#include <string_view>

#include "lib/runtime/metrics.h"

namespace business {

// One per loop; the counters are the process's.
struct AuthMetrics {
  AuthMetrics();

  // `result`: "success" or a condition of RFC 6120 §6.5. A mechanism that we do not know counts as
  // "other": names of a peer's choosing would be series without end.
  void CountAttempt(std::string_view mechanism, std::string_view result);

  runtime::Gauge& streams;
  runtime::Counter& delayed;
  runtime::Counter& timed_out;
  runtime::Counter& refused_full;
};

}  // namespace business
