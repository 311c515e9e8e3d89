// The business tier's own metrics.
#pragma once

#include <array>
#include <string_view>

#include "lib/runtime/metrics.h"
#include "lib/xmpp/stanza.h"

namespace business {

// One per process; relaxed atomics, used from every loop.
struct BusinessMetrics {
  BusinessMetrics();

  runtime::Counter& StanzasIn(xmpp::StanzaKind kind) { return *in[Index(kind)]; }
  runtime::Counter& StanzasOut(xmpp::StanzaKind kind) { return *out[Index(kind)]; }
  // By RFC 6120 condition and by reason; both come from the source, never from a peer.
  void CountError(std::string_view condition);
  void CountDrop(std::string_view reason);

  runtime::Gauge& sessions;
  runtime::Counter& binds;
  runtime::Counter& replaced;
  runtime::Counter& announced;
  runtime::Counter& ended;
  runtime::Counter& hibernated;
  runtime::Counter& resumed;
  runtime::Counter& resumptions_refused;
  runtime::Counter& timed_out;    // hibernated sessions whose client did not come back
  runtime::Counter& overflowed;   // outboxes
  runtime::Counter& undelivered;  // stanzas that an ended session left
  runtime::Counter& fenced;
  runtime::Counter& gaps;
  runtime::Counter& repeated;
  runtime::Counter& retries;
  runtime::Counter& stale_rows;
  runtime::Counter& handler_exceptions;
  runtime::Histogram& routing_seconds;      // from Submit to finished
  // Sampled, one stanza in 64, in microseconds.
  runtime::Counter& sampled;
  runtime::Counter& sample_parse_us;         // CPU: envelope to effects known
  runtime::Counter& sample_redis_us;         // waited for look-ups and the ownership check
  runtime::Counter& sample_deliver_us;       // waited for the recipients' managers

 private:
  static size_t Index(xmpp::StanzaKind kind) { return static_cast<size_t>(kind) & 3; }
  std::array<runtime::Counter*, 4> in, out;
};

}  // namespace business
