// What a group committer measures, whatever its engine.
#pragma once

#include "lib/runtime/metrics.h"

namespace business {

struct CommitMeters {
  runtime::Metrics& all = runtime::Metrics::Get();
  runtime::Histogram& commit = all.GetHistogram(
      "xylem_store_commit_seconds", "BEGIN to the end of COMMIT", runtime::LatencyBounds());
  runtime::Histogram& wait =
      all.GetHistogram("xylem_store_commit_wait_seconds",
                       "a write from its submission to its answer", runtime::LatencyBounds());
  runtime::Histogram& turn =
      all.GetHistogram("xylem_store_turn_wait_seconds",
                       "waiting for other processes to have written", runtime::LatencyBounds());
  runtime::Histogram& batch =
      all.GetHistogram("xylem_store_batch_operations", "operations in one transaction",
                       {1, 2, 4, 8, 16, 32, 64, 128, 256, 512});
  runtime::Gauge& queue = all.GetGauge("xylem_store_queue", "writes waiting for a commit");
  runtime::Counter& refused =
      all.GetCounter("xylem_store_refused_total", "writes refused because the queue was full");
  runtime::Counter& failed =
      all.GetCounter("xylem_store_failed_commits_total", "transactions that did not commit");
};

}  // namespace business
