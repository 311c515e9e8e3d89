// A stream that has not logged in yet: what it was offered, and its exchange while there is one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "business/auth/account_cache.h"
#include "business/auth/stranger_iqs.h"
#include "business/link/manager_links.h"
#include "lib/runtime/timer_wheel.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/sasl/server_exchange.h"

namespace business {

class SaslAuthenticator;

// Lives on its link's loop. The timer runs while there is an exchange.
class SaslStream : public runtime::Timer, public std::enable_shared_from_this<SaslStream> {
 public:
  enum class State : uint8_t {
    kIdle,           // may begin
    kWorking,        // an element of the client is being looked at
    kAwaitResponse,  // the client has a challenge
    kTimedOut,       // it did not answer in time; may begin anew
    kAnswering,      // the verdict is held back
    kGone,           // logged in, closed, or its link is down: nobody waits for an answer
  };
  using Turn = uint64_t;

  SaslStream(SaslAuthenticator* owner, Callback on_time, ManagerLinkPtr link, uint64_t connection)
      : Timer(on_time), owner(owner), link(std::move(link)), connection(connection) {}

  // Begins an exchange: state kWorking.
  void Begin(std::string mechanism, std::unique_ptr<xmpp::sasl::ServerExchange> exchange);
  // Every other change; the exchange ends unless it goes on (kWorking, kAwaitResponse).
  void SetState(State state);
  State state() const { return state_; }
  bool HasExchange() const { return exchange_ != nullptr; }

  // Changes with the state: whoever waited finds out whether the stream still waits for him.
  Turn turn() const { return turn_; }
  bool StillAt(Turn turn) const { return turn_ == turn && link->alive(); }

  xmpp::sasl::ServerExchange& exchange() { return *exchange_; }
  const std::string& mechanism() const { return mechanism_; }
  xmpp::BareJid JidOf(std::string_view username) const;

  SaslAuthenticator* const owner;
  const ManagerLinkPtr link;
  const uint64_t connection;
  std::string domain;  // normalised
  std::string peer_address;
  bool tls = false;
  std::shared_ptr<Stranger> stranger;
  xmpp::sasl::ChannelBindings bindings;
  xmpp::sasl::Offer offer;  // exactly what was advertised (XEP-0474)

  AccountCache::AccountPtr account;  // whose password is being checked; nullptr: nobody's

 private:
  State state_ = State::kIdle;
  Turn turn_ = 0;
  std::string mechanism_;  // of the newest attempt
  std::unique_ptr<xmpp::sasl::ServerExchange> exchange_;
};
using SaslStreamPtr = std::shared_ptr<SaslStream>;

}  // namespace business
