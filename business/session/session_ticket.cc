#include "business/session/session_ticket.h"

#include <utility>

#include "business/session/session.h"
#include "business/session/shard.h"
#include "proto/ticket.pb.h"

namespace business {
namespace {

constexpr size_t kSealOverhead = 64;  // nonce, tag, version; generous

}  // namespace

std::string SealSession(const Session& session) {
  const cluster::SessionRecord& record = session.record;
  xylem::v1::SealedTicket ticket;
  ticket.set_version(1);
  ticket.set_account(session.account().ToString());
  ticket.set_mechanism(session.mechanism);
  ticket.set_manager(record.owner.manager);
  ticket.set_manager_incarnation(record.owner.incarnation);
  ticket.set_connection(record.owner.connection);
  ticket.set_resource(record.resource);
  ticket.set_session(record.session);
  ticket.set_epoch(record.owner.epoch);
  ticket.set_flags(record.flags);
  ticket.set_available(record.available);
  ticket.set_priority(record.priority);
  ticket.set_presence_number(record.presence_number);
  ticket.set_peer_address(record.peer_address);
  ticket.set_redis_generation(record.announced_generation);
  ticket.set_since_ms(record.since_ms);
  ticket.set_sm_base(session.sm.base);
  ticket.set_sm_resumption_ms(static_cast<uint64_t>(session.sm.resumption.count()));

  size_t room = kMaxTicketBytes - kSealOverhead;
  const size_t fixed = ticket.ByteSizeLong();
  room -= fixed < room ? fixed : room;
  // The newest targets are the ones a client still talks to.
  for (auto it = session.directed.rbegin(); it != session.directed.rend(); ++it) {
    const size_t cost = it->size() + 3;
    if (cost > room) break;
    room -= cost;
    ticket.add_directed(*it);
  }
  if (record.presence.size() + 4 <= room) ticket.set_presence(record.presence);
  return session.shard().sealer->Seal(ticket.SerializeAsString());
}

std::optional<OpenedTicket> OpenTicket(const cluster::TicketSealer& sealer,
                                       const ManagerLink& link, uint64_t connection,
                                       std::string_view sealed) {
  if (sealed.empty()) return std::nullopt;
  const auto plain = sealer.Open(sealed);
  if (!plain) return std::nullopt;
  xylem::v1::SealedTicket ticket;
  if (!ticket.ParseFromString(*plain) || ticket.version() != 1) return std::nullopt;
  // tests/attacks, row 50: a ticket is worth nothing to another manager or for another connection.
  if (ticket.manager_incarnation() != link.incarnation() || ticket.manager() != link.manager() ||
      ticket.connection() != connection || ticket.account().empty()) {
    return std::nullopt;
  }
  OpenedTicket opened;
  opened.account = xmpp::BareJid::FromNormalized(ticket.account());
  opened.mechanism = ticket.mechanism();
  opened.peer_address = ticket.peer_address();
  cluster::SessionRecord& record = opened.record;
  record.owner = {ticket.manager(), ticket.manager_incarnation(), ticket.connection(),
                  ticket.epoch()};
  record.session = ticket.session();
  record.resource = ticket.resource();
  record.flags = ticket.flags();
  record.available = ticket.available();
  record.priority = ticket.priority();
  record.presence_number = ticket.presence_number();
  record.peer_address = ticket.peer_address();
  record.presence = ticket.presence();
  record.announced_generation = ticket.redis_generation();
  record.since_ms = ticket.since_ms();
  opened.sm_base = ticket.sm_base();
  opened.sm_resumption = std::chrono::milliseconds(ticket.sm_resumption_ms());
  for (auto it = ticket.directed().rbegin(); it != ticket.directed().rend(); ++it) {
    opened.directed.push_back(*it);
  }
  return opened;
}

}  // namespace business
