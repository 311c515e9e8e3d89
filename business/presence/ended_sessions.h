// Tells that sessions are over: the account's other resources, its contacts, and who was shown
// directed presence (RFC 6121 §4.5, §4.6.3).
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

// One per loop, lives on it. A manager that dies ends tens of thousands of sessions at once: few are
// told of at a time, so that neither Redis' pipeline nor the store's readers are flooded. The queue
// is bounded by the rows that the manager had.
class EndedSessions {
 public:
  static constexpr size_t kMostUnderWay = 64;

  explicit EndedSessions(Shard* shard) : shard_(shard) {}

  // `directed`: as far as the caller knows; what stands beside the row is added.
  void Add(xmpp::BareJid account, const cluster::SessionRecord& row,
           std::vector<std::string> directed);

  bool IsIdle() const { return waiting_.empty() && under_way_ == 0; }

 private:
  struct Ended {
    xmpp::FullJid full;
    cluster::Epoch epoch;
    std::string session;
    bool available;
    std::vector<std::string> directed;
  };

  void StartWaiting();
  runtime::Task<void> Tell(Ended ended);
  runtime::Task<void> TellBroadcast(Ended ended);

  Shard* const shard_;
  std::deque<Ended> waiting_;
  size_t under_way_ = 0;
};

}  // namespace business
