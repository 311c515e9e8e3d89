// A manager loop's links to every business server: where sessions submit and deliveries arrive.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"
#include "lib/xmpp/stanza.h"
#include "lib/xmpp/stream_error.h"

namespace xylem::v1 {
class Opened;
class Negotiated;
}  // namespace xylem::v1

namespace connmgr {

// What the manager did with one target of a Deliver.
enum class TakenOutcome : uint8_t { kTaken, kNotHere, kOverflowed, kBehind };

// A connection as its links see it. Implemented by the stream; lives on the same loop; calls come
// from the links' turn, never from inside a call of the stream into the links.
class LinkClient {
 public:
  virtual ~LinkClient() = default;
  // Answer to Open or Negotiate. Outcome BOUND: the session exists; Submit may be called.
  virtual void OnNegotiated(const xylem::v1::Negotiated& answer) = 0;
  // The business server that had a half-done exchange is gone: `temporary-auth-failure` (SASL), or
  // the stream asks again (Open).
  virtual void OnNegotiationLost() = 0;
  // Write `body` with `to` spliced in. Called in order.
  virtual TakenOutcome OnDeliver(std::string_view body, uint32_t splice_offset,
                                 std::string_view to) = 0;
  // Stream management: <enabled/>, from which on what is delivered counts; other elements that are
  // no stanzas.
  virtual void OnEnabled(std::string_view element) { OnNonza(element); }
  virtual void OnNonza(std::string_view element) { (void)element; }
  // Bytes that OnDeliver takes before the client counts as too slow; WriteLimit if nothing waits.
  virtual size_t WriteRoom() const { return WriteLimit(); }
  virtual size_t WriteLimit() const { return SIZE_MAX; }
  // The window has room again after Submit said kFull.
  virtual void OnWindowOpen() = 0;
  // Write this stream error, then close. The session is over for the cluster already if `fenced`.
  virtual void OnCloseOrder(xmpp::StreamError error, bool fenced) = 0;
};

struct LinkLimits {
  uint32_t window_stanzas = 64;
  uint32_t window_bytes = 262144;
};

// One per loop, lives on it. Keeps one Attach stream to each live business server, chooses each
// session's home by rendezvous hashing of its bare JID (before authentication: of the connection),
// keeps what is not accepted and submits it again to the next home when a link breaks.
class BusinessLinks {
 public:
  struct Options {
    std::string instance;          // "connmgr-1"
    uint64_t incarnation = 0;
    std::vector<std::string> addresses;  // names are resolved anew each `resolve`
    std::chrono::milliseconds resolve{5000};
    LinkLimits limits;
    runtime::RpcCredentials credentials;
  };

  static std::unique_ptr<BusinessLinks> Create(runtime::EventLoop* loop, Options options);
  virtual ~BusinessLinks() = default;
  virtual void Start() = 0;

  // A number for a new connection: loop index in the top 8 bits, never used twice. The client is
  // called until Forget.
  virtual uint64_t Register(LinkClient* client) = 0;
  // The connection is gone. With a session: Closed is sent, and repeated, until Ended comes; the
  // pointer is dropped at once. `resumable`: hibernate it (stream management).
  virtual void Forget(uint64_t connection, std::string_view reason, bool resumable) = 0;

  // Before bind. `opened.connection` is set by the links; ticket too, if they hold one.
  virtual void Open(uint64_t connection, xylem::v1::Opened opened) = 0;
  virtual void Negotiate(uint64_t connection, std::string_view element, std::string_view ns,
                         std::string_view name) = 0;

  // After bind: gives the stanza the session's next in_seq and sends it. kFull: it was taken, but
  // read no more of this session until OnWindowOpen.
  enum class Window { kOpen, kFull };
  virtual Window Submit(uint64_t connection, const xmpp::Stanza& stanza) = 0;
  // Stream management. <enable/> is submitted as a stanza is; MayEnable: it was not yet.
  virtual bool MayEnable(uint64_t connection) const = 0;
  virtual bool IsManaged(uint64_t connection) const = 0;
  // h as it may be told: what is accepted.
  virtual uint32_t HandledCount(uint64_t connection) const = 0;
  // <r/>: OnNonza with <a/> follows, at once or when what was submitted before is accepted.
  virtual void AnswerRequest(uint64_t connection) = 0;
  // <a h=''/>. A value: it is too high, so many were sent.
  virtual std::optional<uint32_t> Confirm(uint64_t connection, uint32_t h) = 0;

  // Submitted and not yet accepted.
  virtual uint32_t Unaccepted(uint64_t connection) const = 0;
  virtual uint64_t UnacceptedTotal() const = 0;

  // Business servers with a live link (Hello exchanged, not draining).
  virtual int live() const = 0;
  // Those, and draining ones with a link: they serve the sessions that they have.
  virtual int up() const = 0;
  // Sessions bound on this loop.
  virtual uint64_t sessions() const = 0;
  // Closed not yet answered by Ended: the drain waits for them.
  virtual uint64_t closing() const = 0;

  // Control.DrainManager of an operator; set once by main.
  virtual void OnDrainOrder(absl::AnyInvocable<void(bool undrain)> handler) = 0;

  // All domains that business servers with a link serve, normalised; called at each change. Set once,
  // before Start. While there is no link, what was known stays.
  using OnDomainsHandler = absl::AnyInvocable<void(const std::vector<std::string>& domains)>;
  virtual void OnDomains(OnDomainsHandler handler) = 0;

  struct Stats {
    uint64_t frames_out = 0, items_out = 0, bytes_out = 0, frames_in = 0, items_in = 0;
    uint64_t resubmitted = 0, rehomed = 0, duplicates_dropped = 0, not_here = 0, links_lost = 0;
  };
  virtual Stats stats() const = 0;
};

}  // namespace connmgr
