// SASL's elements (RFC 6120 §6.4) as canonical bytes: read from a client, written for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/xmpp/sasl/offer.h"

namespace business {

struct SaslElement {
  enum class Kind { kAuth, kResponse, kAbort } kind;
  std::string mechanism;  // kAuth; as the client spelt it
  // Raw bytes. nullopt: <auth/> without an initial response (RFC 6120 §6.4.2: "=" is an empty one).
  std::optional<std::string> data;
  bool bad_encoding = false;  // not base64 (the failure is `incorrect-encoding`)
};

// nullopt: none of the three, or with child elements.
std::optional<SaslElement> ReadSaslElement(std::string_view canonical);

std::string WriteChallenge(std::string_view data);  // raw
std::string WriteSuccess(std::string_view data);    // raw additional data, may be empty
std::string WriteFailure(std::string_view condition);

// <mechanisms/> and, where something can be bound to, <sasl-channel-binding/> (XEP-0440): children
// of <stream:features/>.
std::string WriteOffer(const xmpp::sasl::Offer& offer);

}  // namespace business
