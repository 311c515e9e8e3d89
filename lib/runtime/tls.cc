#include "lib/runtime/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

#include "lib/runtime/check.h"
#include "lib/runtime/log.h"
#include "lib/runtime/tls_snapshot.h"

namespace runtime {
namespace {

constexpr unsigned char kSessionContext[] = "xylem";
constexpr long kTicketLifetime = 24 * 3600;  // seconds

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string OpenSslReason() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown error";
  const char* reason = ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  return ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code))
                                : "error " + std::to_string(code);
}

const TlsSnapshot* SnapshotOf(SSL* ssl) {
  return static_cast<const TlsSnapshot*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

// RFC 6066 §3, tests/attacks, row 58: a foreign name gets the alert, no name gets the first
// identity.
int OnServerName(SSL* ssl, int* alert, void*) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const TlsSnapshot* snapshot = SnapshotOf(ssl);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const TlsIdentityContext* identity = snapshot->Find(name);
  if (identity == nullptr) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  if (identity->ctx.get() != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, identity->ctx.get());
  return SSL_TLSEXT_ERR_OK;
}

// RFC 7301 §3.2, XEP-0368: our order decides; nothing in common ends the handshake.
int OnAlpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
           unsigned int in_size, void*) {
  const std::string& ours = SnapshotOf(ssl)->alpn;
  unsigned char* chosen = nullptr;
  int found =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), in, in_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// Fetched once: an implicit fetch for each ticket costs more than its encryption.
EVP_CIPHER* TicketCipher() {
  static EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  return cipher;
}

int OnTicketKey(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                EVP_MAC_CTX* mac, int encrypt) {
  const std::vector<TicketKey>& keys = SnapshotOf(ssl)->ticket_keys;
  size_t index = 0;
  if (encrypt != 0) {
    std::copy(keys[0].name.begin(), keys[0].name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(TicketCipher())) != 1) return -1;
  } else {
    while (index < keys.size() &&
           !std::equal(keys[index].name.begin(), keys[index].name.end(), name)) {
      ++index;
    }
    if (index == keys.size()) return 0;  // not ours: a full handshake
  }
  TicketKey key = keys[index];
  char digest[] = "sha256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  bool good =
      EVP_CipherInit_ex2(cipher, TicketCipher(), key.cipher.data(), iv, encrypt, nullptr) == 1 &&
      EVP_MAC_CTX_set_params(mac, params) == 1;
  OPENSSL_cleanse(&key, sizeof key);
  if (!good) return -1;
  return encrypt == 0 && index > 0 ? 2 : 1;  // 2: an old key; hand out a new ticket
}

int AcceptAnyCertificate(int, X509_STORE_CTX*) {
  return 1;
}  // judged by who reads it (SASL EXTERNAL)
int NoPassword(char*, int, int, void*) { return 0; }  // never ask on a terminal

Result<void> SetUp(SSL_CTX* ctx, const TlsIdentity& identity, const TlsOptions& options,
                   TlsSnapshot* snapshot) {
  SSL_CTX_set_app_data(ctx, snapshot);
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // NO_AUTO_CHAIN: without it a chain of one certificate is "completed" by a verification against
  // the trust store in each handshake.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(ctx, 1);  // header and body of a record in one read
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);  // tickets only: state is the client's
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_max_early_data(ctx, 0);
  SSL_CTX_set_timeout(ctx, kTicketLifetime);
  SSL_CTX_set_session_id_context(ctx, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, OnTicketKey);
  SSL_CTX_set_tlsext_servername_callback(ctx, OnServerName);
  SSL_CTX_set_default_passwd_cb(ctx, NoPassword);
  if (!snapshot->alpn.empty()) SSL_CTX_set_alpn_select_cb(ctx, OnAlpn, nullptr);
  if (options.request_client_certificate) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, AcceptAnyCertificate);
  }
  // SHA-256 first: its key schedule is the cheaper one.
  CHECK(SSL_CTX_set_ciphersuites(
            ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") ==
        1);
  CHECK(SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
  CHECK(SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1);

  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(ctx, identity.certificate_file.c_str()) != 1) {
    return Error::Failed(identity.certificate_file +
                         ": no certificate chain can be read: " + OpenSslReason());
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, identity.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error::Failed(identity.key_file + ": no private key can be read: " + OpenSslReason());
  }
  if (SSL_CTX_check_private_key(ctx) != 1) {
    return Error::Failed(identity.key_file + ": is not the key of " + identity.certificate_file);
  }
  return {};
}

int64_t ExpiryOf(const X509* certificate) {
  tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) return 0;
  return timegm(&when);
}

Result<std::vector<TicketKey>> ReadTicketKeys(const std::string& file,
                                              const TlsSnapshot* previous) {
  std::vector<TicketKey> keys;
  if (file.empty()) {
    // Our own: a new one at each reload, the one before still opens its tickets.
    TicketKey key;
    CHECK(RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
          RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1 &&
          RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1);
    keys.push_back(key);
    if (previous != nullptr) keys.push_back(previous->ticket_keys[0]);
    return keys;
  }
  std::ifstream in(file, std::ios::binary);
  std::stringstream all;
  all << in.rdbuf();
  std::string bytes = all.str();
  constexpr size_t kSize = sizeof(TicketKey);
  static_assert(kSize == 80);
  if (!in.is_open()) return Error::Failed(file + ": cannot be read: " + std::strerror(errno));
  if (bytes.size() != kSize && bytes.size() != 2 * kSize) {
    return Error::Failed(file + ": has " + std::to_string(bytes.size()) +
                         " bytes; ticket keys are 80, or 160 while rotating");
  }
  for (size_t at = 0; at < bytes.size(); at += kSize) {
    std::memcpy(&keys.emplace_back(), bytes.data() + at, kSize);
  }
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return keys;
}

Result<std::shared_ptr<const TlsSnapshot>> MakeSnapshot(const TlsOptions& options,
                                                        const TlsSnapshot* previous) {
  auto snapshot = std::make_shared<TlsSnapshot>();
  if (options.identities.empty()) return Error::Failed("no certificate is configured");
  for (const std::string& protocol : options.alpn) {
    snapshot->alpn += static_cast<char>(protocol.size());
    snapshot->alpn += protocol;
  }
  auto keys = ReadTicketKeys(options.ticket_key_file, previous);
  if (!keys) return keys.error();
  snapshot->ticket_keys = std::move(*keys);
  for (const TlsIdentity& identity : options.identities) {
    SslCtxPtr ctx(SSL_CTX_new(TLS_server_method()));
    CHECK(ctx != nullptr);
    Result<void> done = SetUp(ctx.get(), identity, options, snapshot.get());
    if (!done) return done.error();
    X509* certificate = SSL_CTX_get0_certificate(ctx.get());
    int64_t expiry = ExpiryOf(certificate);
    if (expiry < time(nullptr)) {
      LogWarn("certificate_expired", "a certificate has expired",
              {{"file", identity.certificate_file}});
    }
    snapshot->first_expiry = std::min(snapshot->first_expiry, expiry);
    size_t index = snapshot->identities.size();
    for (const std::string& domain : identity.domains) {
      if (domain == "*") {
        snapshot->serves_all = true;
        snapshot->fallback = index;
      } else if (!snapshot->by_domain.emplace(LowerCase(domain), index).second) {
        return Error::Failed(identity.certificate_file + ": " + domain +
                             " has a certificate already");
      }
    }
    snapshot->identities.push_back({std::move(ctx), EndPointHash(certificate)});
  }
  return std::shared_ptr<const TlsSnapshot>(std::move(snapshot));
}

}  // namespace

const TlsIdentityContext* TlsSnapshot::Find(std::string_view domain) const {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  auto found = by_domain.find(LowerCase(domain));
  if (found != by_domain.end()) return &identities[found->second];
  return serves_all ? &identities[fallback] : nullptr;
}

std::string EndPointHash(X509* certificate) {
  int digest_nid = NID_undef;
  if (certificate == nullptr ||
      X509_get_signature_info(certificate, &digest_nid, nullptr, nullptr, nullptr) != 1) {
    return {};
  }
  if (digest_nid == NID_md5 || digest_nid == NID_sha1) digest_nid = NID_sha256;
  const EVP_MD* digest = EVP_get_digestbynid(digest_nid);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (digest == nullptr || X509_digest(certificate, digest, hash, &size) != 1) return {};
  return {reinterpret_cast<char*>(hash), size};
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::Create(const TlsOptions& options) {
  auto snapshot = MakeSnapshot(options, nullptr);
  if (!snapshot) return snapshot.error();
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->snapshot = std::move(*snapshot);
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

Result<void> TlsContext::Reload() {
  auto snapshot = MakeSnapshot(impl_->options, impl_->Current().get());
  if (!snapshot) return snapshot.error();
  std::lock_guard lock(impl_->mutex);
  impl_->snapshot = std::move(*snapshot);
  return {};
}

bool TlsContext::Serves(std::string_view domain) const {
  return impl_->Current()->Find(domain) != nullptr;
}

int64_t TlsContext::FirstExpiry() const { return impl_->Current()->first_expiry; }

}  // namespace runtime
