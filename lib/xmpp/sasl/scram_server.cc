#include "lib/xmpp/sasl/scram_server.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "lib/xmpp/jid.h"
#include "lib/xmpp/sasl/identity.h"

namespace xmpp::sasl {
namespace {

constexpr size_t kNonceBytes = 18;  // 144 bits, 24 characters

bool OffersPlus(const Offer& offer) {
  return !offer.channel_bindings.empty() &&
         std::any_of(offer.mechanisms.begin(), offer.mechanisms.end(),
                     [](const std::string& name) { return name.ends_with("-PLUS"); });
}

}  // namespace

ScramServer::ScramServer(ScramMechanism mechanism, const Offer& offer,
                         const ChannelBindings& bindings, std::string_view domain)
    : mechanism_(mechanism),
      offered_plus_(OffersPlus(offer)),
      offer_hash_(OfferHash(mechanism.hash, offer)),
      bindings_(bindings),
      domain_(domain) {}

ScramServer::~ScramServer() {
  OPENSSL_cleanse(keys_.stored_key.data(), keys_.stored_key.size());
  OPENSSL_cleanse(keys_.server_key.data(), keys_.server_key.size());
}

Step ScramServer::Respond(std::optional<std::string_view> message) {
  if (state_ == State::kStart && !message) {
    state_ = State::kAwaitFirst;
    return Step::Challenge("");  // RFC 4422 §5: the client has the first word
  }
  if (!message) return Fail("malformed-request");
  switch (state_) {
    case State::kStart:
    case State::kAwaitFirst:
      return ReadFirst(*message);
    case State::kAwaitFinal:
      return ReadFinal(*message);
    case State::kAwaitKeys:
    case State::kOver:
      break;
  }
  return Fail("malformed-request");
}

Step ScramServer::ReadFirst(std::string_view message) {
  std::optional<ClientFirst> first = ParseClientFirst(message);
  if (!first) return Fail("malformed-request");
  std::optional<std::string> binding = ExpectedBinding(*first);
  std::optional<std::string> username = NormalizeLocalpart(first->username);
  if (!binding || !username) return Fail("not-authorized");
  if (!NamesAccount(first->authzid, *username, domain_)) return Fail("invalid-authzid");

  username_ = std::move(*username);
  nonce_ = std::string(first->nonce);
  expected_ = std::string(first->gs2_header) + *binding;
  signed_ = std::string(first->bare);
  state_ = State::kAwaitKeys;
  return Step{.kind = Step::Kind::kNeedKeys, .username = username_, .hash = mechanism_.hash};
}

// RFC 5802 §6: the flag has to fit the mechanism, and a client that could have bound but saw no
// -PLUS in our list was shown another list than ours.
std::optional<std::string> ScramServer::ExpectedBinding(const ClientFirst& first) const {
  if (mechanism_.plus != (first.flag == BindingFlag::kRequired)) return std::nullopt;
  if (first.flag == BindingFlag::kUnused && offered_plus_) return std::nullopt;
  if (!mechanism_.plus) return std::string();
  std::string data;
  if (first.binding_type == kTlsExporter) data = bindings_.tls_exporter;
  if (first.binding_type == kTlsServerEndPoint) data = bindings_.tls_server_end_point;
  if (first.binding_type == kTlsUnique) data = bindings_.tls_unique;
  if (data.empty()) return std::nullopt;
  return data;
}

Step ScramServer::SetKeys(const ScramKeys& keys, bool user_exists) {
  if (state_ != State::kAwaitKeys) return Fail("temporary-auth-failure");
  const size_t digest = DigestBytes(mechanism_.hash);
  if (keys.hash != mechanism_.hash || keys.salt.empty() || keys.stored_key.size() != digest ||
      keys.server_key.size() != digest) {
    return Fail("temporary-auth-failure");
  }
  if (keys.iterations < kMinIterations) return Fail("not-authorized");
  keys_ = keys;
  user_exists_ = user_exists;
  nonce_ += EncodeBase64(RandomBytes(kNonceBytes));

  std::string first = "r=" + nonce_ + ",s=" + EncodeBase64(keys.salt) +
                      ",i=" + std::to_string(keys.iterations) + ",h=" + offer_hash_;
  signed_.append(",").append(first).append(",");
  state_ = State::kAwaitFinal;
  return Step::Challenge(std::move(first));
}

Step ScramServer::ReadFinal(std::string_view message) {
  const std::optional<ClientFinal> final_message = ParseClientFinal(message);
  if (!final_message) return Fail("malformed-request");
  signed_.append(final_message->without_proof);

  // Everything is computed whatever came before, so that no answer is earlier than another.
  const size_t digest = DigestBytes(mechanism_.hash);
  const bool whole = final_message->proof.size() == digest;
  const std::string proof = whole ? final_message->proof : std::string(digest, '\0');
  const std::string client_key = Xor(proof, Hmac(mechanism_.hash, keys_.stored_key, signed_));
  const bool proven = SameSecret(Digest(mechanism_.hash, client_key), keys_.stored_key);
  const bool same_nonce = SameSecret(final_message->nonce, nonce_);
  const bool same_channel = SameSecret(final_message->binding, expected_);
  std::string signature = "v=" + EncodeBase64(Hmac(mechanism_.hash, keys_.server_key, signed_));
  if (!(whole & proven & same_nonce & same_channel & user_exists_)) return Fail("not-authorized");

  state_ = State::kOver;
  return Step{.kind = Step::Kind::kSuccess, .data = std::move(signature), .username = username_};
}

Step ScramServer::SetPasswordResult(bool) { return Fail("temporary-auth-failure"); }

Step ScramServer::Fail(std::string_view condition) {
  state_ = State::kOver;
  return Step::Failure(condition);
}

}  // namespace xmpp::sasl
