// The server's side of PLAIN (RFC 4616).
#pragma once

#include <string>
#include <string_view>

#include "lib/xmpp/sasl/server_exchange.h"

namespace xmpp::sasl {

class PlainServer : public ServerExchange {
 public:
  explicit PlainServer(std::string_view domain) : domain_(domain) {}

  Step Respond(std::optional<std::string_view> message) override;
  Step SetKeys(const ScramKeys& keys, bool user_exists) override;
  Step SetPasswordResult(bool right) override;

 private:
  enum class State { kStart, kAwaitMessage, kAwaitResult, kOver };

  Step Fail(std::string_view condition);

  std::string domain_;
  std::string username_;
  State state_ = State::kStart;
};

}  // namespace xmpp::sasl
