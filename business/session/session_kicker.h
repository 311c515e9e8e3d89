// Ends sessions on an operator's order, or because their account goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "lib/cluster/session_registry.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stream_error.h"

namespace business {

class ManagerLinks;
class SessionEvents;
struct Shard;

// Lives on a loop. The row goes first, so that whatever becomes of the socket the session is over
// (R3); then the socket is closed with `error`, and contacts see one `unavailable`. The session's
// home tells those that only got its directed presence, when the manager says Closed.
class SessionKicker {
 public:
  SessionKicker(cluster::SessionRegistry* registry, std::function<ManagerLinks*()> links,
                SessionEvents* events)
      : registry_(registry), links_(std::move(links)), events_(events) {}

  // Sessions of `account`, or the one of `resource`; how many were ended. An error leaves those
  // that were not reached: repeating is safe.
  runtime::Task<runtime::Result<uint32_t>> End(xmpp::BareJid account, std::string resource,
                                               xmpp::StreamError error);

 private:
  cluster::SessionRegistry* const registry_;
  const std::function<ManagerLinks*()> links_;
  SessionEvents* const events_;
};

// Of a shard that is whole.
SessionKicker KickerOf(Shard* shard);

}  // namespace business
