// Questions of connections that are under way: at most one a connection, none of a link that is gone.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>

#include "business/link/manager_links.h"

namespace business {

// Of a loop. `Pending` has `link`, `connection` and `abandoned`; whoever works on it sees by the
// last that nobody waits any more.
template <typename Pending>
class PendingByConnection {
 public:
  using Ptr = std::shared_ptr<Pending>;

  // The manager asks once; should it ask twice, the last one counts.
  void Add(const Ptr& pending) {
    Abandon(pending->link.get(), pending->connection);
    links_[pending->link.get()][pending->connection] = pending;
  }
  // Answered, or never to be.
  void Remove(const Ptr& pending) {
    const auto of_link = links_.find(pending->link.get());
    if (of_link == links_.end()) return;
    const auto it = of_link->second.find(pending->connection);
    if (it == of_link->second.end() || it->second != pending) return;
    of_link->second.erase(it);
    if (of_link->second.empty()) links_.erase(of_link);
  }
  void Abandon(const ManagerLink* link, uint64_t connection) {
    const auto of_link = links_.find(link);
    if (of_link == links_.end()) return;
    const auto it = of_link->second.find(connection);
    if (it == of_link->second.end()) return;
    const Ptr pending = it->second;
    pending->abandoned = true;
    Remove(pending);
  }
  void AbandonLink(const ManagerLink* link) {
    const auto of_link = links_.find(link);
    if (of_link == links_.end()) return;
    for (auto& [connection, pending] : of_link->second) pending->abandoned = true;
    links_.erase(of_link);
  }

 private:
  absl::flat_hash_map<const ManagerLink*, absl::flat_hash_map<uint64_t, Ptr>> links_;
};

}  // namespace business
