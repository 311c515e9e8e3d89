// The readers of a PostgreSQL store: a pool of threads with a connection each, so that no look-up
// waits for a writer, nor long for another look-up.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "business/store/postgres_connection.h"
#include "business/store/postgres_reach.h"
#include "business/store/store_operation.h"

namespace business {

// Submit from any thread. Reads see every write that was answered before they were asked, and each
// sees one moment of the store. Connections are made when they are first needed.
class PostgresReader {
 public:
  // `reach` outlives this.
  PostgresReader(PostgresConnection::Options connection, uint32_t threads, uint32_t queue,
                 PostgresReach* reach);
  ~PostgresReader();  // answers what is queued

  void Submit(StoreOperationPtr operation);

 private:
  class Worker;

  StoreOperationPtr Take();     // nullptr: stopping
  StoreOperationPtr TryTake();  // nullptr: nothing waits

  const PostgresConnection::Options options_;
  const uint32_t limit_;
  PostgresReach* const reach_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<StoreOperationPtr> queue_;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace business
