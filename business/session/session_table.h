// The sessions whose home is this loop, and who is told at the end of a turn what was accepted.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "business/session/session.h"
#include "lib/runtime/event_loop.h"

namespace business {

// One per loop, lives on it. Keyed by link and connection: a connection number means something to
// its own manager only.
class SessionTable {
 public:
  explicit SessionTable(Shard* shard);

  SessionPtr Find(const ManagerLink* link, uint64_t connection) const;
  void Add(SessionPtr session);  // replaces what stood there
  void Remove(Session& session);
  // The link is down: its sessions are announced elsewhere, or here again.
  void ForgetLink(const ManagerLink* link);

  // At most one Accepted per session and turn; with stream management, or what its client confirmed,
  // it is committed first.
  void AcceptedAdvanced(const SessionPtr& session);
  // Says Accepted, now.
  void TellAccepted(const SessionPtr& session);
  // Called, at the end of a turn, for a session that is ending and whose stanzas are all handled.
  void OnDrained(std::function<void(const SessionPtr&)> handler) { on_drained_ = std::move(handler); }

  size_t size() const { return size_; }
  // Sessions on links of one manager's run: what an operator sees.
  size_t SizeOf(const std::string& manager, uint64_t incarnation) const;
  // Stanzas submitted and not accepted: what a drain waits for.
  size_t unaccepted() const;

 private:
  struct Flush final : runtime::TurnEnd {
    explicit Flush(SessionTable* t)
        : TurnEnd([](TurnEnd* end) { static_cast<Flush*>(end)->table->TellAccepted(); }), table(t) {}
    SessionTable* const table;
  };
  void TellAccepted();

  Shard* const shard_;
  absl::flat_hash_map<const ManagerLink*, absl::flat_hash_map<uint64_t, SessionPtr>> links_;
  std::vector<SessionPtr> advanced_;
  std::function<void(const SessionPtr&)> on_drained_;
  Flush flush_{this};
  size_t size_ = 0;
};

}  // namespace business
