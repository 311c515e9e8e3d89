#include "business/message/message_metrics.h"

namespace business {
namespace {

runtime::Counter& Count(const char* name, const char* help) {
  return runtime::Metrics::Get().GetCounter(name, help);
}

}  // namespace

MessageMetrics& MessageMetrics::Get() {
  static MessageMetrics metrics{
      Count("xylem_business_archived_total", "Messages put into archives, once an archive"),
      Count("xylem_business_archive_retries_total", "Commits of messages that were tried again"),
      Count("xylem_business_archive_queries_total", "Archive queries of clients"),
      Count("xylem_business_archive_results_total", "Archived messages given to clients"),
      Count("xylem_business_archive_swept_total", "Archived messages removed: too old, or erased"),
      Count("xylem_business_retracted_total", "Archived messages replaced by tombstones"),
      Count("xylem_business_offline_stored_total", "Messages stored for accounts that were away"),
      Count("xylem_business_offline_delivered_total", "Stored messages delivered"),
      Count("xylem_business_offline_skipped_total",
            "Stored messages that a client had from its archive already"),
      Count("xylem_business_offline_refused_total", "Messages refused: the offline queue was full"),
      Count("xylem_business_copied_total", "Messages copied to other clients of an account"),
  };
  return metrics;
}

}  // namespace business
