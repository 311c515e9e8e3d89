// Takes out of the archives what is older than the configuration keeps, and what was erased.
#pragma once

#include <chrono>
#include <memory>

#include "business/store/archive_store.h"
#include "lib/runtime/event_loop.h"

namespace business {

// Lives on loop 0 of each business server: whoever comes first has done it for all. In steps with
// pauses, because each step is a transaction that other writers wait for.
class ArchiveSweeper {
 public:
  struct Options {
    std::chrono::milliseconds retention{0};  // 0: only what was erased
    std::chrono::milliseconds interval{60000}, pause{100};
    uint32_t step = 500;  // rows
  };
  ArchiveSweeper(runtime::EventLoop* loop, std::unique_ptr<ArchiveStore> archives, Options options);
  ~ArchiveSweeper();

 private:
  struct State;
  std::shared_ptr<State> state_;  // outlives this until the step under way is over
};

}  // namespace business
