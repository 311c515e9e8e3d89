// The server's side of one SASL exchange (RFC 4422): PLAIN (RFC 4616) and SCRAM (RFC 5802, 7677,
// XEP-0474) with and without channel binding (RFC 5929, RFC 9266).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::sasl {

enum class Hash : uint8_t { kSha1, kSha256, kSha512 };

// What is stored of a password: one of these per hash. 16+ byte random salt, StoredKey and
// ServerKey of RFC 5802 §3; the password itself is never kept.
struct ScramKeys {
  Hash hash = Hash::kSha256;
  uint32_t iterations = 4096;
  std::string salt;        // raw bytes
  std::string stored_key;  // raw bytes
  std::string server_key;  // raw bytes
};

// Derives keys from a password that PreparePassword already prepared. Costs ~1 ms of CPU: runs on a
// worker, not on a loop.
ScramKeys DeriveKeys(Hash hash, std::string_view prepared_password, std::string_view salt,
                     uint32_t iterations);
// Keys for a user that does not exist, stable per (secret, hash, username): attacks.md row 26.
ScramKeys FakeKeys(Hash hash, std::string_view secret, std::string_view username,
                   uint32_t iterations);

// What the TLS connection offers to bind to; raw bytes, empty = not to be had.
struct ChannelBindings {
  std::string tls_exporter;          // RFC 9266
  std::string tls_server_end_point;  // RFC 5929 §4
};

struct Offer {                          // what this stream offers, in this order of preference
  std::vector<std::string> mechanisms;      // "SCRAM-SHA-512-PLUS", …, "PLAIN"
  std::vector<std::string> channel_bindings;  // "tls-exporter", "tls-server-end-point" (XEP-0440)
};
// The offer for a stream: -PLUS and XEP-0440 types only with TLS, PLAIN only with TLS.
Offer MakeOffer(bool tls, const ChannelBindings& bindings, const std::vector<std::string>& enabled);

// What the exchange wants next.
struct Step {
  enum class Kind {
    kChallenge,        // send `data`, wait for the client's response
    kNeedKeys,         // call SetKeys with the ScramKeys of `username` for `hash`
    kCheckPassword,    // PLAIN: call SetPasswordResult for (`username`, `password`)
    kSuccess,          // `data` is additional data with success (may be empty); `username` is verified
    kFailure,          // `condition` of RFC 6120 §6.5, e.g. "not-authorized"
  } kind;
  std::string data;       // raw bytes, not base64
  std::string username;   // normalised localpart
  std::string password;   // prepared; kCheckPassword only
  Hash hash = Hash::kSha256;
  std::string condition;
};

// One exchange. Not thread-safe; holds no reference to anything.
class ServerExchange {
 public:
  // nullptr if `mechanism` is not in `offer` (the failure is `invalid-mechanism`).
  // `domain` normalises an authzid given as a bare JID: it must name the same account
  // (attacks.md row 24), else `invalid-authzid`.
  static std::unique_ptr<ServerExchange> Start(std::string_view mechanism, const Offer& offer,
                                               const ChannelBindings& bindings,
                                               std::string_view domain);
  virtual ~ServerExchange() = default;

  // `message`: the client's (initial) response, raw; nullopt = none was given with <auth/>.
  virtual Step Respond(std::optional<std::string_view> message) = 0;
  virtual Step SetKeys(const ScramKeys& keys, bool user_exists) = 0;
  virtual Step SetPasswordResult(bool right) = 0;
};

// The other side, for tests, the bench and the gateway: SCRAM only.
class ScramClient {
 public:
  ScramClient(Hash hash, std::string username, std::string password);
  // Binds: `type` "tls-exporter" or "tls-server-end-point" with its data. Without: gs2 flag `n`,
  // or `y` if `SetCanBind` was called.
  void Bind(std::string type, std::string data);
  void SetCanBind();
  std::string First();                                      // client-first-message
  std::optional<std::string> Final(std::string_view server_first);  // client-final; nullopt: refused
  bool Verify(std::string_view server_final);               // the server's signature

 private:
  Hash hash_;
  std::string username_, password_, cb_type_, cb_data_, nonce_, first_bare_, auth_message_, salted_;
  bool can_bind_ = false;
};

// Base64 as RFC 6120 §6.4.2 wants it: "=" is empty data; nullopt on anything not canonical.
std::optional<std::string> DecodeBase64(std::string_view text);
std::string EncodeBase64(std::string_view raw);

}  // namespace xmpp::sasl
