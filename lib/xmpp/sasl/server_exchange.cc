#include "lib/xmpp/sasl/server_exchange.h"

#include <algorithm>

#include "lib/xmpp/sasl/plain_server.h"
#include "lib/xmpp/sasl/scram_server.h"

namespace xmpp::sasl {

Step Step::Challenge(std::string data) {
  return Step{.kind = Kind::kChallenge, .data = std::move(data)};
}

Step Step::Failure(std::string_view condition) {
  return Step{.kind = Kind::kFailure, .condition = std::string(condition)};
}

std::unique_ptr<ServerExchange> ServerExchange::Start(std::string_view mechanism,
                                                      const Offer& offer,
                                                      const ChannelBindings& bindings,
                                                      std::string_view domain) {
  const auto& offered = offer.mechanisms;
  if (std::find(offered.begin(), offered.end(), mechanism) == offered.end()) return nullptr;
  if (mechanism == "PLAIN") return std::make_unique<PlainServer>(domain);
  if (const auto scram = FindScram(mechanism)) {
    return std::make_unique<ScramServer>(*scram, offer, bindings, domain);
  }
  return nullptr;
}

}  // namespace xmpp::sasl
