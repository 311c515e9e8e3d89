#include "lib/xmpp/sasl/scram_client.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "lib/xmpp/jid.h"
#include "lib/xmpp/sasl/base64.h"
#include "lib/xmpp/sasl/scram_message.h"

namespace xmpp::sasl {
namespace {

constexpr size_t kNonceBytes = 18;
// A peer must not keep us busy for minutes.
constexpr uint32_t kMaxIterations = 1'000'000;

// Salted passwords of this process. Any thread; bounded, emptied when full.
class SaltedPasswords {
 public:
  std::string Get(Hash hash, std::string_view password, std::string_view salt,
                  uint32_t iterations) {
    const std::string key = Key(hash, password, salt, iterations);
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = known_.find(key); found != known_.end()) return found->second;
    }
    std::string salted = SaltPassword(hash, password, salt, iterations);
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kMost) known_.clear();
    known_.emplace(key, salted);
    return salted;
  }

 private:
  static constexpr size_t kMost = 65'536;

  // A digest, so that no password stays in the table.
  static std::string Key(Hash hash, std::string_view password, std::string_view salt,
                         uint32_t iterations) {
    std::string text = std::to_string(static_cast<int>(hash)) + "," + std::to_string(iterations) +
                       "," + std::to_string(salt.size()) + ",";
    text.append(salt).append(password);
    return Digest(Hash::kSha256, text);
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::string> known_;
};

SaltedPasswords& Salted() {
  static SaltedPasswords passwords;
  return passwords;
}

}  // namespace

ScramClient::ScramClient(Hash hash, std::string username, std::string password)
    : hash_(hash), username_(std::move(username)), password_(std::move(password)) {}

void ScramClient::Bind(std::string type, std::string data) {
  cb_type_ = std::move(type);
  cb_data_ = std::move(data);
}

void ScramClient::SetCanBind() { can_bind_ = true; }

void ScramClient::SetAuthzid(std::string authzid) { authzid_ = std::move(authzid); }

void ScramClient::SetOffer(const Offer& seen) { offer_hash_ = OfferHash(hash_, seen); }

std::string ScramClient::Gs2Header() const {
  std::string header = !cb_type_.empty() ? "p=" + cb_type_ : can_bind_ ? "y" : "n";
  header.push_back(',');
  if (!authzid_.empty()) header.append("a=").append(EscapeName(authzid_));
  header.push_back(',');
  return header;
}

std::string ScramClient::First() {
  nonce_ = EncodeBase64(RandomBytes(kNonceBytes));
  first_bare_ = "n=" + EscapeName(username_) + ",r=" + nonce_;
  return Gs2Header() + first_bare_;
}

std::optional<std::string> ScramClient::Final(std::string_view server_first) {
  const std::optional<ServerFirst> first = ParseServerFirst(server_first);
  if (!first || nonce_.empty()) return std::nullopt;
  const bool extended = first->nonce.size() > nonce_.size() && first->nonce.starts_with(nonce_);
  if (!extended || first->salt.empty() || first->iterations < kMinIterations ||
      first->iterations > kMaxIterations) {
    return std::nullopt;
  }
  if (!offer_hash_.empty() && first->offer_hash && *first->offer_hash != offer_hash_) {
    return std::nullopt;
  }
  const std::optional<std::string> prepared = PreparePassword(password_);
  if (!prepared) return std::nullopt;

  std::string final_message = "c=" + EncodeBase64(Gs2Header() + cb_data_) + ",r=";
  final_message.append(first->nonce);
  auth_message_ = first_bare_ + ",";
  auth_message_.append(server_first).append(",").append(final_message);
  salted_ = Salted().Get(hash_, *prepared, first->salt, first->iterations);
  const std::string client_key = Hmac(hash_, salted_, "Client Key");
  const std::string signature = Hmac(hash_, Digest(hash_, client_key), auth_message_);
  return final_message + ",p=" + EncodeBase64(Xor(client_key, signature));
}

bool ScramClient::Verify(std::string_view server_final) {
  if (salted_.empty() || !server_final.starts_with("v=")) return false;
  const size_t end = std::min(server_final.find(','), server_final.size());
  const std::optional<std::string> signature = DecodeBase64(server_final.substr(2, end - 2));
  const std::string server_key = Hmac(hash_, salted_, "Server Key");
  return signature && SameSecret(*signature, Hmac(hash_, server_key, auth_message_));
}

}  // namespace xmpp::sasl
