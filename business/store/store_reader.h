// The store's reader: its own thread and connection, so that no look-up waits for a sync.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "business/store/sqlite_connection.h"
#include "business/store/store_operation.h"

namespace business {

// Submit from any thread. Reads see every write that was answered before they were asked, and each
// sees one moment of the store.
class StoreReader {
 public:
  StoreReader(std::string path, uint32_t queue, std::unique_ptr<SqliteConnection> connection);
  ~StoreReader();  // answers what is queued

  void Submit(StoreOperationPtr operation);

 private:
  void Run();
  void RunBatch(std::vector<StoreOperationPtr>& batch);
  bool Usable();
  bool Opened();

  const std::string path_;
  const uint32_t limit_;
  std::unique_ptr<SqliteConnection> connection_;  // reader thread only

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::vector<StoreOperationPtr> queue_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace business
