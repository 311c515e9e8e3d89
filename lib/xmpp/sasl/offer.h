// What a stream offers: mechanisms and channel binding types, in order of preference.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/xmpp/sasl/scram_keys.h"

namespace xmpp::sasl {

inline constexpr std::string_view kTlsExporter = "tls-exporter";
inline constexpr std::string_view kTlsServerEndPoint = "tls-server-end-point";
inline constexpr std::string_view kTlsUnique = "tls-unique";

// What the TLS connection offers to bind to; raw bytes, empty = not to be had.
struct ChannelBindings {
  std::string tls_exporter;          // RFC 9266
  std::string tls_server_end_point;  // RFC 5929 §4
  // RFC 5929 §3. Taken, never offered. COMPAT(slixmpp 1.8, 2024): binds with it whatever the server
  // lists, also at TLS 1.3, and has no other way in then (RFC 5802 §6 bars `y` where -PLUS is listed).
  std::string tls_unique;
};

// Must hold exactly what was advertised, whoever serves it: XEP-0474 signs these two lists.
struct Offer {
  std::vector<std::string> mechanisms;        // "SCRAM-SHA-512-PLUS", …, "PLAIN"
  std::vector<std::string> channel_bindings;  // "tls-exporter", "tls-server-end-point" (XEP-0440)
};
// The offer for a stream: -PLUS and XEP-0440 types only with TLS, PLAIN only with TLS. `enabled`
// names the mechanisms that the configuration allows ("SCRAM-SHA-256-PLUS" is a name of its own);
// empty = all.
Offer MakeOffer(bool tls, const ChannelBindings& bindings, const std::vector<std::string>& enabled);

// A SCRAM mechanism's parts; nullopt for any other mechanism.
struct ScramMechanism {
  Hash hash;
  bool plus;  // binds to the channel
};
std::optional<ScramMechanism> FindScram(std::string_view mechanism);

// XEP-0474 0.5 §5.1: base64 of the hash over the sorted lists, the value of attribute `h`.
std::string OfferHash(Hash hash, const Offer& offer);

}  // namespace xmpp::sasl
