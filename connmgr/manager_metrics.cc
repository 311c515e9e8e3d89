#include "connmgr/manager_metrics.h"

#include <functional>
#include <string>
#include <tuple>
#include <utility>

#include "lib/runtime/metrics.h"

namespace connmgr {
namespace {

using Loops = std::vector<ConnmgrLoop*>;
using Read = std::function<double()>;

runtime::Metrics& Page() { return runtime::Metrics::Get(); }

// The sum over the loops of what `pick(LoopCounters)` names.
template <typename Pick>
Read Sum(const Loops& loops, Pick pick, double unit = 1) {
  return [loops, pick, unit] {
    double sum = 0;
    for (ConnmgrLoop* loop : loops) sum += static_cast<double>(pick(loop->counters()).value());
    return sum * unit;
  };
}

Read SumOf(const Loops& loops, LoopCounter LoopCounters::*counter) {
  return Sum(loops, [counter](LoopCounters& c) -> LoopCounter& { return c.*counter; });
}

struct Named {
  const char* name;
  const char* help;
  LoopCounter LoopCounters::*counter;
};

constexpr Named kCounters[] = {
    {"xylem_connmgr_accepted_connections_total", "Sockets accepted.", &LoopCounters::accepted},
    {"xylem_connmgr_received_bytes_total", "Bytes from clients: PROXY headers, and XML after TLS.",
     &LoopCounters::bytes_in},
    {"xylem_connmgr_sent_bytes_total", "Bytes of XML to clients, before TLS.",
     &LoopCounters::bytes_out},
    {"xylem_connmgr_invalid_stanzas_total",
     "Stanzas submitted with a verdict other than ok: they are answered with an error.",
     &LoopCounters::invalid_stanzas},
    {"xylem_connmgr_auth_failures_total", "Failed authentications.", &LoopCounters::auth_failures},
    {"xylem_connmgr_window_full_total",
     "Times a session's window was full: its socket was read no more.", &LoopCounters::window_full},
    {"xylem_connmgr_rate_pauses_total", "Times a session was over its rate and read later.",
     &LoopCounters::rate_pauses},
    {"xylem_connmgr_link_sent_frames_total",
     "gRPC messages to business servers; items per frame is the batch size.",
     &LoopCounters::link_frames_out},
    {"xylem_connmgr_link_sent_items_total", "Items in those messages.",
     &LoopCounters::link_items_out},
    {"xylem_connmgr_link_sent_bytes_total", "Bytes in those messages.",
     &LoopCounters::link_bytes_out},
    {"xylem_connmgr_link_received_frames_total", "gRPC messages from business servers.",
     &LoopCounters::link_frames_in},
    {"xylem_connmgr_link_received_items_total", "Items in those messages.",
     &LoopCounters::link_items_in},
    {"xylem_connmgr_link_resubmitted_total", "Stanzas sent again after a link broke.",
     &LoopCounters::link_resubmitted},
    {"xylem_connmgr_link_rehomed_sessions_total", "Sessions that went to another business server.",
     &LoopCounters::link_rehomed},
    {"xylem_connmgr_link_duplicates_total", "Deliveries dropped: their effect was written already.",
     &LoopCounters::link_duplicates},
    {"xylem_connmgr_link_not_here_total", "Deliveries for sessions that are not here (any more).",
     &LoopCounters::link_not_here},
    {"xylem_connmgr_links_lost_total", "Links to business servers that broke.",
     &LoopCounters::links_lost},
};

constexpr Named kGauges[] = {
    {"xylem_connmgr_write_queue_bytes", "Bytes queued towards clients.",
     &LoopCounters::write_queue_bytes},
    {"xylem_connmgr_links", "Live links to business servers, of all loops.",
     &LoopCounters::live_links},
    {"xylem_connmgr_sessions", "Bound resources.", &LoopCounters::sessions},
    {"xylem_connmgr_closing_sessions",
     "Sessions whose end the business tier has not confirmed yet.",
     &LoopCounters::closing_sessions},
    {"xylem_connmgr_unaccepted_stanzas", "Stanzas submitted and not yet accepted.",
     &LoopCounters::unaccepted},
};

void AddConnections(const Loops& loops) {
  for (size_t kind = 0; kind < kConnectionKinds; ++kind) {
    for (size_t phase = 0; phase < kPhases; ++phase) {
      Page().AddGaugeFunction(
          "xylem_connmgr_connections", "Client connections by transport and phase.",
          {{"transport", Name(static_cast<ConnectionKind>(kind))},
           {"phase", Name(static_cast<Phase>(phase))}},
          Sum(loops, [=](LoopCounters& c) -> LoopCounter& { return c.connections[kind][phase]; }));
    }
  }
}

void AddHandshakes(const Loops& loops) {
  const std::pair<const char*, LoopCounter LoopCounters::*> results[] = {
      {"full", &LoopCounters::handshakes_done},
      {"resumed", &LoopCounters::handshakes_resumed},
      {"failed", &LoopCounters::handshakes_failed}};
  for (const auto& [result, counter] : results) {
    Page().AddCounterFunction("xylem_connmgr_tls_handshakes_total", "TLS handshakes by result.",
                              {{"result", result}}, SumOf(loops, counter));
  }
}

void AddStanzas(const Loops& loops) {
  static constexpr const char* kDirections[] = {"in", "out"};
  static constexpr std::pair<xmpp::StanzaKind, const char*> kKinds[] = {
      {xmpp::StanzaKind::kMessage, "message"},
      {xmpp::StanzaKind::kPresence, "presence"},
      {xmpp::StanzaKind::kIq, "iq"}};
  for (size_t direction = 0; direction < 2; ++direction) {
    for (const auto& [kind, name] : kKinds) {
      const auto index = static_cast<size_t>(kind);
      Page().AddCounterFunction(
          "xylem_connmgr_stanzas_total", "Stanzas of sessions by direction and kind.",
          {{"direction", kDirections[direction]}, {"kind", name}},
          Sum(loops,
              [=](LoopCounters& c) -> LoopCounter& { return c.stanzas[direction][index]; }));
    }
  }
}

void AddEnds(const Loops& loops) {
  for (size_t i = 0; i < kRefusals; ++i) {
    Page().AddCounterFunction(
        "xylem_connmgr_refusals_total", "Times a connection was refused or accepted later.",
        {{"reason", Name(static_cast<Refusal>(i))}},
        Sum(loops, [i](LoopCounters& c) -> LoopCounter& { return c.refused[i]; }));
  }
  for (size_t i = 0; i < kCloseReasons; ++i) {
    Page().AddCounterFunction(
        "xylem_connmgr_closed_connections_total", "Connections that ended, by reason.",
        {{"reason", Name(static_cast<CloseReason>(i))}},
        Sum(loops, [i](LoopCounters& c) -> LoopCounter& { return c.closes[i]; }));
  }
  for (size_t i = 0; i < LoopCounters::kConditions; ++i) {
    const auto condition = static_cast<xmpp::StreamCondition>(i);
    Page().AddCounterFunction(
        "xylem_connmgr_stream_errors_total", "Stream errors written to clients (RFC 6120 4.9.3).",
        {{"condition", std::string(xmpp::ConditionName(condition))}},
        Sum(loops, [i](LoopCounters& c) -> LoopCounter& { return c.stream_errors[i]; }));
  }
}

void AddStages(const Loops& loops) {
  for (size_t i = 0; i < kStages; ++i) {
    Page().AddCounterFunction(
        "xylem_connmgr_stage_seconds_total",
        "Time of the loops by stage, scaled up from one operation in 64.",
        {{"stage", Name(static_cast<Stage>(i))}},
        Sum(loops, [i](LoopCounters& c) -> LoopCounter& { return c.stage_us[i]; }, 1e-6));
  }
}

void AddAdmission(const Admission* admission) {
  Page().AddGaugeFunction("xylem_connmgr_admitted_connections", "Sockets counted by admission.", {},
                          [=] { return static_cast<double>(admission->connections()); });
  Page().AddGaugeFunction("xylem_connmgr_connection_capacity",
                          "Most connections that are let in at a time.", {},
                          [=] { return static_cast<double>(admission->capacity()); });
  Page().AddGaugeFunction("xylem_connmgr_handshakes_in_progress",
                          "Connections that negotiate: TLS and login.", {},
                          [=] { return static_cast<double>(admission->handshakes()); });
}

void AddRedis(const runtime::RedisClient* redis) {
  using Stats = runtime::RedisClient::Stats;
  const std::tuple<const char*, const char*, uint64_t Stats::*> counters[] = {
      {"xylem_connmgr_redis_commands_total", "Commands sent to Redis.", &Stats::commands},
      {"xylem_connmgr_redis_timeouts_total", "Commands that Redis did not answer in time.",
       &Stats::timeouts},
      {"xylem_connmgr_redis_refused_total", "Commands not sent: circuit open or too many waiting.",
       &Stats::refused},
      {"xylem_connmgr_redis_reconnects_total", "Connections to Redis made anew.",
       &Stats::reconnects},
  };
  for (const auto& [name, help, member] : counters) {
    Page().AddCounterFunction(name, help, {}, [redis, member = member] {
      return static_cast<double>(redis->stats().*member);
    });
  }
}

}  // namespace

void AddManagerMetrics(const Measured& measured) {
  for (const Named& c : kCounters) {
    Page().AddCounterFunction(c.name, c.help, {}, SumOf(measured.loops, c.counter));
  }
  for (const Named& g : kGauges) {
    Page().AddGaugeFunction(g.name, g.help, {}, SumOf(measured.loops, g.counter));
  }
  AddConnections(measured.loops);
  AddHandshakes(measured.loops);
  AddStanzas(measured.loops);
  AddEnds(measured.loops);
  AddStages(measured.loops);
  AddAdmission(measured.admission);
  if (measured.redis != nullptr) AddRedis(measured.redis);
  if (measured.certificates->available()) {
    Page().AddGaugeFunction(
        "xylem_connmgr_certificate_expiry_timestamp_seconds",
        "When the first certificate to expire does.", {},
        [certificates = measured.certificates] {
          return static_cast<double>(certificates->FirstExpiry());
        });
  }
  Page().AddGaugeFunction("xylem_connmgr_ready", "1 if /readyz says so.", {},
                          [health = measured.health] { return health->ready() ? 1.0 : 0.0; });
  Page().AddGaugeFunction(
      "xylem_connmgr_draining", "1 from the order to drain on.", {},
      [drain = measured.drain] { return drain->draining() ? 1.0 : 0.0; });
}

}  // namespace connmgr
