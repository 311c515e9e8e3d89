#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "lib/runtime/check.h"
#include "lib/runtime/tls_snapshot.h"

namespace runtime {
namespace {

// RFC 9266 §2.
constexpr char kExporterLabel[] = "EXPORTER-Channel-Binding";
constexpr size_t kExporterSize = 32;

void AttachSocket(SSL* ssl, int fd) {
  BIO* bio = NewSocketBio(fd);
  SSL_set_bio(ssl, bio, bio);
}

// Contexts of the client's side, one per trust file: making one costs as much as a handshake. They
// live as long as the process, since OpenSSL may be taken down before our statics.
SSL_CTX* ClientContext(const std::string& ca_file) {
  static std::mutex mutex;
  static auto& contexts = *new std::map<std::string, SSL_CTX*>;
  std::lock_guard lock(mutex);
  SSL_CTX*& ctx = contexts[ca_file];
  if (ctx != nullptr) return ctx;
  ctx = SSL_CTX_new(TLS_client_method());
  CHECK(ctx != nullptr);
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  if (!ca_file.empty()) {
    // A file that cannot be read leaves nothing to trust: every handshake fails.
    SSL_CTX_load_verify_locations(ctx, ca_file.c_str(), nullptr);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  }
  return ctx;
}

}  // namespace

TlsSession::TlsSession(ssl_st* ssl, std::shared_ptr<const void> keep)
    : ssl_(ssl), keep_(std::move(keep)) {}

TlsSession::~TlsSession() { SSL_free(ssl_); }

std::unique_ptr<TlsSession> TlsSession::Accept(TlsContext& context, int fd) {
  std::shared_ptr<const TlsSnapshot> snapshot = context.impl_->Current();
  SSL* ssl = SSL_new(snapshot->identities[snapshot->fallback].ctx.get());
  CHECK(ssl != nullptr);
  AttachSocket(ssl, fd);
  SSL_set_accept_state(ssl);
  return std::unique_ptr<TlsSession>(new TlsSession(ssl, std::move(snapshot)));
}

std::unique_ptr<TlsSession> TlsSession::Connect(int fd, const std::string& server_name,
                                                const std::string& alpn,
                                                const std::string& ca_file) {
  SSL* ssl = SSL_new(ClientContext(ca_file));
  CHECK(ssl != nullptr);
  AttachSocket(ssl, fd);
  SSL_set_connect_state(ssl);
  if (!server_name.empty()) {
    SSL_set_tlsext_host_name(ssl, server_name.c_str());
    if (!ca_file.empty()) SSL_set1_host(ssl, server_name.c_str());
  }
  if (!alpn.empty()) {
    std::string wire = static_cast<char>(alpn.size()) + alpn;
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned int>(wire.size()));
  }
  return std::unique_ptr<TlsSession>(new TlsSession(ssl, nullptr));
}

TlsSession::Status TlsSession::StatusOf(int result) {
  int saved_errno = errno;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_NONE:
      return Status::kOk;
    case SSL_ERROR_WANT_READ:
      return Status::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Status::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Status::kClosed;
    case SSL_ERROR_SYSCALL:
      if (saved_errno == 0 || saved_errno == ECONNRESET || saved_errno == EPIPE) {
        return Status::kClosed;
      }
      return Status::kError;
    default:
      // Gone without close_notify: the stream above has its own end, so this is just a close.
      return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
                 ? Status::kClosed
                 : Status::kError;
  }
}

TlsSession::Status TlsSession::Handshake() {
  ERR_clear_error();
  errno = 0;
  return StatusOf(SSL_do_handshake(ssl_));
}

TlsSession::Status TlsSession::Read(char* buffer, size_t size, size_t* n) {
  ERR_clear_error();
  errno = 0;
  *n = 0;
  return StatusOf(SSL_read_ex(ssl_, buffer, size, n));
}

TlsSession::Status TlsSession::Write(std::string_view bytes, size_t* n) {
  *n = 0;
  while (*n < bytes.size()) {
    ERR_clear_error();
    errno = 0;
    size_t written = 0;
    int result = SSL_write_ex(ssl_, bytes.data() + *n, bytes.size() - *n, &written);
    *n += written;
    if (result != 1) return StatusOf(result);
  }
  return Status::kOk;
}

bool TlsSession::HasPending() const { return SSL_has_pending(ssl_) == 1; }

void TlsSession::Shutdown() {
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
}

std::string TlsSession::Version() const { return SSL_get_version(ssl_); }
std::string TlsSession::Cipher() const { return SSL_get_cipher_name(ssl_); }

std::string TlsSession::Sni() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

std::string TlsSession::Alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool TlsSession::Resumed() const { return SSL_session_reused(ssl_) == 1; }

std::string TlsSession::ExporterBinding() const {
  // RFC 9266 §4.2: below TLS 1.3 only with the extended master secret (RFC 7627).
  if (SSL_version(ssl_) < TLS1_3_VERSION && SSL_get_extms_support(ssl_) != 1) return {};
  unsigned char out[kExporterSize];
  const unsigned char empty_context = 0;
  if (SSL_export_keying_material(ssl_, out, sizeof out, kExporterLabel, sizeof kExporterLabel - 1,
                                 &empty_context, 0, 1) != 1) {
    return {};
  }
  return {reinterpret_cast<char*>(out), sizeof out};
}

std::string TlsSession::UniqueBinding() const {
  if (SSL_version(ssl_) < TLS1_3_VERSION && SSL_get_extms_support(ssl_) != 1) return {};
  unsigned char out[EVP_MAX_MD_SIZE];
  // The Finished that came first: the client's, unless an earlier session went on.
  const bool ours = (SSL_is_server(ssl_) != 0) == (SSL_session_reused(ssl_) != 0);
  const size_t size = ours ? SSL_get_finished(ssl_, out, sizeof out)
                           : SSL_get_peer_finished(ssl_, out, sizeof out);
  return {reinterpret_cast<char*>(out), size};
}

std::string TlsSession::EndPointBinding() const {
  if (!SSL_is_server(ssl_)) return EndPointHash(SSL_get0_peer_certificate(ssl_));
  const auto* snapshot = static_cast<const TlsSnapshot*>(keep_.get());
  for (const TlsIdentityContext& identity : snapshot->identities) {
    if (identity.ctx.get() == SSL_get_SSL_CTX(ssl_)) return identity.end_point;
  }
  return {};
}

std::string TlsSession::PeerCertificateDer() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  unsigned char* der = nullptr;
  int size = certificate == nullptr ? 0 : i2d_X509(certificate, &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string TlsSession::Error() const {
  unsigned long code = ERR_peek_last_error();
  if (code == 0) return errno == 0 ? "" : std::strerror(errno);
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "error " + std::to_string(code) : reason;
}

}  // namespace runtime
