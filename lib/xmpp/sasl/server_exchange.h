// The server's side of one SASL exchange (RFC 4422): PLAIN (RFC 4616) and SCRAM (RFC 5802, 7677,
// XEP-0474) with and without channel binding (RFC 5929, RFC 9266).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/xmpp/sasl/base64.h"
#include "lib/xmpp/sasl/offer.h"
#include "lib/xmpp/sasl/scram_client.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace xmpp::sasl {

// What the exchange wants next.
struct Step {
  enum class Kind {
    kChallenge,      // send `data`, wait for the client's response
    kNeedKeys,       // call SetKeys with the ScramKeys of `username` for `hash`
    kCheckPassword,  // PLAIN: call SetPasswordResult for (`username`, `password`)
    kSuccess,  // `data` is additional data with success (may be empty); `username` is verified
    kFailure,  // `condition` of RFC 6120 §6.5, e.g. "not-authorized"
  } kind;
  std::string data;      // raw bytes, not base64
  std::string username;  // normalised localpart
  std::string password;  // prepared; kCheckPassword only
  Hash hash = Hash::kSha256;
  std::string condition;

  static Step Challenge(std::string data);
  static Step Failure(std::string_view condition);
};

// One exchange. Not thread-safe; holds no reference to anything. After kSuccess or kFailure it is
// over: whatever else it is given fails.
class ServerExchange {
 public:
  // nullptr if `mechanism` is not in `offer` (the failure is `invalid-mechanism`).
  // `domain` normalises an authzid given as a bare JID: it must name the same account
  // (tests/attacks, row 24), else `invalid-authzid`.
  static std::unique_ptr<ServerExchange> Start(std::string_view mechanism, const Offer& offer,
                                               const ChannelBindings& bindings,
                                               std::string_view domain);
  virtual ~ServerExchange() = default;

  // `message`: the client's (initial) response, raw; nullopt = none was given with <auth/>.
  virtual Step Respond(std::optional<std::string_view> message) = 0;
  // After kNeedKeys. For a user that does not exist give FakeKeys and `user_exists` = false: the
  // exchange goes on and fails exactly as a wrong password does.
  virtual Step SetKeys(const ScramKeys& keys, bool user_exists) = 0;
  // After kCheckPassword.
  virtual Step SetPasswordResult(bool right) = 0;
};

}  // namespace xmpp::sasl
