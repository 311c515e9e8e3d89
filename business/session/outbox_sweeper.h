// Sessions whose client did not come back, and what any ended session left in its outbox.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/cluster/outbox.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

// Where what a session left goes; above routing.
class UndeliveredSink {
 public:
  virtual ~UndeliveredSink() = default;
  // Deals with each entry as its class says (docs/guarantees.md). True: none of them is needed any
  // more. Asked again after false, or by another server if this one dies: effect ids tell what was
  // done.
  virtual runtime::Task<bool> OnUndelivered(xmpp::FullJid from,
                                            std::vector<cluster::OutboxEntry> entries) = 0;
};

// One per business server, on its loop 0; each hint is taken by one of them, and by another if that
// one dies over it. A session ends here or is resumed, never both: Redis decides.
class OutboxSweeper {
 public:
  OutboxSweeper(Shard* shard, UndeliveredSink* sink);
  ~OutboxSweeper();
  void Start();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace business
