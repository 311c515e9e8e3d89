// What a session's sealed ticket holds (proto/ticket.proto).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "business/link/manager_links.h"
#include "lib/cluster/session_record.h"
#include "lib/cluster/ticket_sealer.h"
#include "lib/xmpp/jid.h"

namespace business {

class Session;

struct OpenedTicket {
  xmpp::BareJid account;
  std::string mechanism;
  std::string peer_address;
  // Of a session, from bind on; `record.session` is empty before.
  cluster::SessionRecord record;
  std::vector<std::string> directed;
  uint64_t sm_base = 0;  // stream management: in_seq of <enable/>
  std::chrono::milliseconds sm_resumption{0};
};

inline constexpr size_t kMaxTicketBytes = 2048;

// ≤ kMaxTicketBytes: a long presence and the oldest directed targets are left out first.
std::string SealSession(const Session& session);

// nullopt unless it is ours and was given to this manager's incarnation for this connection.
std::optional<OpenedTicket> OpenTicket(const cluster::TicketSealer& sealer,
                                       const ManagerLink& link, uint64_t connection,
                                       std::string_view sealed);

}  // namespace business
