// A business server's links to every manager: what arrives from them, and deliveries to them.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"
#include "lib/xmpp/stream_error.h"

namespace xylem::v1 {
class Opened;
class Negotiate;
class Negotiated;
class Submit;
class Pull;
class Announce;
class Closed;
class ClientAck;
class Moved;
}  // namespace xylem::v1

namespace business {

// The stream an item came on: who to answer. Valid as long as anybody holds it; sending on a
// closed link does nothing. A session lives on the loop of its link.
class ManagerLink {
 public:
  virtual ~ManagerLink() = default;
  virtual const std::string& manager() const = 0;
  virtual uint64_t incarnation() const = 0;
  virtual bool alive() const = 0;
  virtual void SendNegotiated(xylem::v1::Negotiated answer) = 0;
  // Waits a little for something that goes the same way, if the manager understands late answers.
  virtual void SendAccepted(uint64_t connection, cluster::Epoch epoch, uint64_t up_to) = 0;
  // Somebody waits: what SendAccepted was given leaves at the end of the turn.
  virtual void AcceptNow() {}
  virtual void SendTicket(uint64_t connection, cluster::Epoch epoch, std::string ticket) = 0;
  virtual void SendEnded(uint64_t connection, cluster::Epoch epoch) = 0;
  virtual void SendClose(uint64_t connection, cluster::Epoch epoch, xmpp::StreamError error) = 0;
  virtual void SendFenced(uint64_t connection, cluster::Epoch epoch) = 0;
  virtual void SendGap(uint64_t connection, cluster::Epoch epoch, uint64_t expected) = 0;
  // Nothing of connections that this server only negotiated with is kept longer than the link.
};
using ManagerLinkPtr = std::shared_ptr<ManagerLink>;

// What managers say, in the order they said it. Called on the link's loop.
class ManagerEvents {
 public:
  virtual ~ManagerEvents() = default;
  virtual void OnOpened(const ManagerLinkPtr& link, const xylem::v1::Opened& opened) = 0;
  virtual void OnNegotiate(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) = 0;
  virtual void OnSubmit(const ManagerLinkPtr& link,
                        xylem::v1::Submit& submit) = 0;  // may be moved from
  virtual void OnPull(const ManagerLinkPtr& link, const xylem::v1::Pull& pull) = 0;
  virtual void OnClientAck(const ManagerLinkPtr& link, const xylem::v1::ClientAck& ack) = 0;
  virtual void OnAnnounce(const ManagerLinkPtr& link, const xylem::v1::Announce& announce) = 0;
  virtual void OnClosed(const ManagerLinkPtr& link, const xylem::v1::Closed& closed) = 0;
  // The session (epoch 0: the negotiation) has another home now: forget it, it has not ended.
  virtual void OnMoved(const ManagerLinkPtr& link, const xylem::v1::Moved& moved) {
    (void)link, (void)moved;
  }
  virtual void OnLinkUp(const ManagerLinkPtr& link) = 0;
  // Sessions that lived on this link are forgotten (not ended): they are announced elsewhere.
  virtual void OnLinkDown(const ManagerLinkPtr& link) = 0;
};

enum class DeliverOutcome : uint8_t {
  kTaken,       // written to the socket's buffer, or recognised as already written
  kNotHere,     // that manager does not hold (connection, epoch)
  kOverflowed,  // too slow: its socket was closed
  kBehind,      // stream management: it will pull
  kNoLink,      // no link to that manager incarnation: nothing was sent
  kUnknown,     // the link broke before it answered
};

struct DeliverTarget {
  cluster::Owner owner;
  uint64_t out_seq = 0;
  std::string to;      // full JID to write in; empty = leave `to` out
  std::string effect;  // cluster::EffectId
  uint64_t generation = 0;  // with out_seq: of Redis, under which the session was announced
};

// A bit of DeliverBody::flags beside those of xmpp::StanzaFlag: the recipient's archive has it.
inline constexpr uint64_t kDeliverArchived = uint64_t{1} << 40;

struct DeliverBody {
  std::string bytes;  // canonical, with `from`, without `to`
  uint32_t splice_offset = 0;
  uint8_t kind = 0;
  uint8_t stanza_class = 0;  // xylem::v1::StanzaClass
  uint64_t flags = 0;
  int64_t stamp_ms = 0;  // for outboxes: the archive's; 0: now
};

// One per loop, lives on it. Deliveries issued in one order to one session arrive in that order.
// Streams of a manager live on one loop each; a delivery to a stream of another loop is handed
// over, many at a time, at the end of the turn.
class ManagerLinks {
 public:
  using Done = absl::AnyInvocable<void(const std::vector<DeliverOutcome>& outcomes)>;  // by target

  virtual ~ManagerLinks() = default;
  // One Deliver frame item per manager loop however many targets. `done` is called on this loop,
  // never from inside Deliver; may be empty.
  virtual void Deliver(DeliverBody body, std::vector<DeliverTarget> targets, Done done) = 0;
  // Writes a stream error to a session anywhere and closes it; nothing if no link.
  virtual void Close(const cluster::Owner& owner, xmpp::StreamError error) = 0;
  // Something waits for what becomes of deliveries issued so far: managers are asked to say Taken
  // at once.
  virtual void AskTaken() {}
  virtual bool IsLinked(const std::string& manager, uint64_t incarnation) const = 0;
};

// The process's side: accepts Attach streams, says Hello, tells generations and draining.
class LinkServer {
 public:
  struct Options {
    std::string instance;
    uint64_t incarnation = 0;
    std::vector<std::string> domains;
    runtime::RpcServer::Options rpc;
  };
  // `events` has one entry a loop. `unary` answers Admin calls. nullptr when the address is taken.
  static std::unique_ptr<LinkServer> Start(Options options, runtime::LoopGroup* loops,
                                           std::vector<ManagerEvents*> events,
                                           runtime::RpcServer::Unary unary);
  virtual ~LinkServer() = default;
  virtual ManagerLinks& links(int loop) = 0;
  virtual int port() const = 0;
  // Any thread. Tells every manager, now and at each new Hello.
  virtual void SetGeneration(uint64_t generation) = 0;
  virtual void SetDraining(bool draining) = 0;
  virtual void SetDomains(std::vector<std::string> domains) = 0;
  virtual void DrainManager(const std::string& manager, bool undrain) = 0;
  struct ManagerInfo {
    std::string instance;
    uint64_t incarnation = 0;
    uint32_t loops = 0;
  };
  virtual std::vector<ManagerInfo> managers() const = 0;
  // While the loops still run; afterwards nothing of this calls `events`. Destroy it when the loops
  // have stopped.
  virtual void Shutdown() = 0;
  struct Stats {
    uint64_t frames_in = 0, items_in = 0, frames_out = 0, items_out = 0, bytes_out = 0;
    uint64_t handed_over = 0;   // deliveries to a stream of another loop
    uint64_t refused_full = 0;  // deliveries answered kNoLink because a link's queue was full
    uint64_t protocol_errors = 0;
  };
  virtual Stats stats() const = 0;  // any thread
};

}  // namespace business
