// The client's side of SCRAM, for tests, the bench and the gateway.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/xmpp/sasl/offer.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace xmpp::sasl {

// Not thread-safe; the salted passwords it remembers are shared by all clients of the process, so
// that a second login of the same account costs microseconds.
class ScramClient {
 public:
  ScramClient(Hash hash, std::string username, std::string password);
  // Binds: `type` "tls-exporter" or "tls-server-end-point" with its data. Without: gs2 flag `n`,
  // or `y` if `SetCanBind` was called.
  void Bind(std::string type, std::string data);
  void SetCanBind();
  // Asks to act as `authzid` (a bare JID).
  void SetAuthzid(std::string authzid);
  // What the peer advertised, as we saw it: Final then refuses a list that was changed on its way
  // (XEP-0474), if the peer signs its list at all.
  void SetOffer(const Offer& seen);

  std::string First();  // client-first-message
  std::optional<std::string> Final(
      std::string_view server_first);          // client-final; nullopt: refused
  bool Verify(std::string_view server_final);  // the server's signature

 private:
  std::string Gs2Header() const;

  Hash hash_;
  std::string username_, password_, authzid_, cb_type_, cb_data_, offer_hash_;
  std::string nonce_, first_bare_, auth_message_, salted_;
  bool can_bind_ = false;
};

}  // namespace xmpp::sasl
