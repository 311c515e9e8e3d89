// The messages of SCRAM as RFC 5802 §7 writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp::sasl {

enum class BindingFlag : uint8_t {
  kNone,      // "n": the client cannot bind
  kUnused,    // "y": it can, but believes that we cannot
  kRequired,  // "p=<type>"
};

// Views point into the message given; the two identities are unescaped copies.
struct ClientFirst {
  BindingFlag flag = BindingFlag::kNone;
  std::string_view binding_type;  // kRequired only
  std::string authzid;            // empty = not given
  std::string username;
  std::string_view nonce;
  std::string_view gs2_header;  // up to and with its second comma
  std::string_view bare;        // the rest
};
// nullopt = malformed; so is a mandatory extension (`m=`), for we know none.
std::optional<ClientFirst> ParseClientFirst(std::string_view message);

struct ClientFinal {
  std::string binding;  // gs2 header and channel binding data, raw
  std::string_view nonce;
  std::string proof;               // raw
  std::string_view without_proof;  // what the proof signs
};
std::optional<ClientFinal> ParseClientFinal(std::string_view message);

struct ServerFirst {
  std::string_view nonce;
  std::string salt;  // raw
  uint32_t iterations = 0;
  std::optional<std::string_view> offer_hash;  // `h`, XEP-0474
};
std::optional<ServerFirst> ParseServerFirst(std::string_view message);

// saslname: "=2C" is a comma, "=3D" an equals sign, no other "=" stands. nullopt also when empty.
std::optional<std::string> UnescapeName(std::string_view text);
std::string EscapeName(std::string_view name);

}  // namespace xmpp::sasl
