// The server's side of SCRAM (RFC 5802, RFC 7677) with channel binding and downgrade protection.
#pragma once

#include <string>
#include <string_view>

#include "lib/xmpp/sasl/scram_message.h"
#include "lib/xmpp/sasl/server_exchange.h"

namespace xmpp::sasl {

class ScramServer : public ServerExchange {
 public:
  ScramServer(ScramMechanism mechanism, const Offer& offer, const ChannelBindings& bindings,
              std::string_view domain);
  ~ScramServer() override;

  Step Respond(std::optional<std::string_view> message) override;
  Step SetKeys(const ScramKeys& keys, bool user_exists) override;
  Step SetPasswordResult(bool right) override;

 private:
  enum class State { kStart, kAwaitFirst, kAwaitKeys, kAwaitFinal, kOver };

  Step ReadFirst(std::string_view message);
  Step ReadFinal(std::string_view message);
  // What `c=` must carry behind the gs2 header; nullopt = this flag is refused here.
  std::optional<std::string> ExpectedBinding(const ClientFirst& first) const;
  Step Fail(std::string_view condition);

  const ScramMechanism mechanism_;
  const bool offered_plus_;
  const std::string offer_hash_;
  const ChannelBindings bindings_;
  const std::string domain_;

  State state_ = State::kStart;
  std::string username_;
  std::string nonce_;     // the client's, then both
  std::string expected_;  // gs2 header and channel binding data
  std::string signed_;    // AuthMessage of RFC 5802 §3 as far as it is known
  ScramKeys keys_;
  bool user_exists_ = false;
};

}  // namespace xmpp::sasl
