// Logs streams in: SASL over Negotiate, by the mechanisms this stream may use (RFC 6120 §6).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "lib/cluster/ticket_sealer.h"
#include "lib/runtime/event_loop.h"
#include "lib/xmpp/jid.h"

namespace xylem::v1 {
class SealedTicket;
}

namespace business {

class AccountCache;
class PasswordWorkers;
class StrangerIqs;

// One per loop. Keeps half-done exchanges of its links in memory: bounded, timed out, dropped
// with the link.
class Authenticator {
 public:
  struct Options {
    std::vector<std::string> mechanisms;
    std::vector<std::string> domains;  // until SetDomains says others
    std::string fake_salt_secret;
    uint32_t scram_iterations = 10000;
    std::chrono::milliseconds exchange_time{30000};
    uint32_t failures_per_address = 20;
    std::chrono::milliseconds failure_delay{1000};
    uint32_t max_streams = 20000;  // not logged in yet, on this loop; more: resource-constraint
    StrangerIqs* strangers = nullptr;  // who answers their iqs; nullptr: nobody
  };
  static std::unique_ptr<Authenticator> Create(runtime::EventLoop* loop, Options options,
                                               AccountCache* accounts, PasswordWorkers* workers,
                                               const cluster::TicketSealer* sealer);
  virtual ~Authenticator() = default;

  // A stream without a ticket opened: answers FEATURES with <mechanisms/> and, with TLS, XEP-0440's
  // <sasl-channel-binding/>; or CLOSE with host-unknown.
  virtual void OnOpened(const ManagerLinkPtr& link, const xylem::v1::Opened& opened) = 0;
  // auth, response, abort in the SASL namespace. Answers CONTINUE, AUTHENTICATED (with the ticket
  // and account), FAILED, or CLOSE.
  virtual void OnSasl(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) = 0;
  // An iq of a stream that is not logged in. Answers CONTINUE, or CLOSE.
  virtual void OnIq(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) {
    (void)link, (void)element;
  }
  virtual void OnConnectionClosed(const ManagerLinkPtr& link, uint64_t connection) = 0;
  virtual void OnLinkDown(const ManagerLinkPtr& link) = 0;
  // Normalised. Exchanges that are half done go on.
  virtual void SetDomains(std::vector<std::string> domains) = 0;
};

}  // namespace business
