#include "business/link/link_metrics.h"

#include <string>

#include "lib/runtime/metrics.h"

namespace business {
namespace {

using Stats = LinkServer::Stats;

void AddCounter(const LinkServer* server, const std::string& name, const std::string& help,
                const runtime::Labels& labels, uint64_t Stats::*value) {
  runtime::Metrics::Get().AddCounterFunction(
      "xylem_business_link_" + name, help, labels,
      [server, value] { return static_cast<double>(server->stats().*value); });
}

}  // namespace

void AddLinkMetrics(const LinkServer* server) {
  const runtime::Labels in{{"direction", "in"}}, out{{"direction", "out"}};
  AddCounter(server, "frames_total", "Frames on the links to managers", in, &Stats::frames_in);
  AddCounter(server, "frames_total", "Frames on the links to managers", out, &Stats::frames_out);
  AddCounter(server, "items_total", "Items in those frames", in, &Stats::items_in);
  AddCounter(server, "items_total", "Items in those frames", out, &Stats::items_out);
  AddCounter(server, "sent_bytes_total", "Bytes of frames to managers", {}, &Stats::bytes_out);
  AddCounter(server, "handed_over_total", "Deliveries to a stream of another loop", {},
             &Stats::handed_over);
  AddCounter(server, "refused_full_total", "Deliveries refused because a link's queue was full", {},
             &Stats::refused_full);
  AddCounter(server, "protocol_errors_total", "Links closed for what a manager said", {},
             &Stats::protocol_errors);
  runtime::Metrics& metrics = runtime::Metrics::Get();
  metrics.AddGaugeFunction("xylem_business_link_batch_items",
                           "Items in a frame to a manager, mean since start", {}, [server] {
                             const Stats stats = server->stats();
                             return stats.frames_out == 0
                                        ? 0.0
                                        : static_cast<double>(stats.items_out) /
                                              static_cast<double>(stats.frames_out);
                           });
  metrics.AddGaugeFunction("xylem_business_link_streams", "Manager loops that are attached", {},
                           [server] {
                             double streams = 0;
                             for (const auto& manager : server->managers())
                               streams += manager.loops;
                             return streams;
                           });
}

}  // namespace business
