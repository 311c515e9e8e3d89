// What became of messages besides their delivery.
#pragma once

#include "lib/runtime/metrics.h"

namespace business {

// One per process; relaxed atomics, used from every loop.
struct MessageMetrics {
  static MessageMetrics& Get();

  runtime::Counter& archived;           // rows
  runtime::Counter& archive_retries;    // commits tried again
  runtime::Counter& archive_queries;
  runtime::Counter& archive_results;    // rows given to clients
  runtime::Counter& archive_swept;      // rows
  runtime::Counter& retracted;          // rows that became tombstones
  runtime::Counter& offline_stored;
  runtime::Counter& offline_delivered;
  runtime::Counter& offline_skipped;    // the client has them from its archive
  runtime::Counter& offline_refused;    // the queue was full
  runtime::Counter& copied;             // messages that were copied to somebody (carbons)
};

}  // namespace business
