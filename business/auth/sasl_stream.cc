#include "business/auth/sasl_stream.h"

#include <utility>

namespace business {

void SaslStream::Begin(std::string mechanism,
                       std::unique_ptr<xmpp::sasl::ServerExchange> exchange) {
  SetState(State::kIdle);  // the old exchange, if any
  mechanism_ = std::move(mechanism);
  exchange_ = std::move(exchange);
  if (exchange_ != nullptr) SetState(State::kWorking);
}

void SaslStream::SetState(State state) {
  state_ = state;
  ++turn_;
  if (state == State::kWorking || state == State::kAwaitResponse) return;
  Cancel();
  exchange_.reset();
  account.reset();
}

xmpp::BareJid SaslStream::JidOf(std::string_view username) const {
  std::string jid(username);
  return xmpp::BareJid::FromNormalized(jid.append("@").append(domain));
}

}  // namespace business
