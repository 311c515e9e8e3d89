// TLS contexts of a listening process: SNI for several domains, shared ticket keys, reload without
// dropping anyone. OpenSSL stays behind tls.cc and tls_session.cc.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib/runtime/result.h"

struct ssl_st;
struct ssl_ctx_st;

namespace runtime {

struct TlsIdentity {
  std::vector<std::string> domains;  // A-labels served with this certificate; "*" = every other one
  std::string certificate_file;      // PEM chain
  std::string key_file;              // PEM
};

struct TlsOptions {
  std::vector<TlsIdentity> identities;
  std::string
      ticket_key_file;  // 80 or 160 bytes (newest first), shared between managers; empty = own
  std::vector<std::string>
      alpn;  // accepted protocol ids ("xmpp-client"); others → no_application_protocol
  bool request_client_certificate = false;
};

// TLS ≥ 1.2, no renegotiation, no compression, no 0-RTT, ECDHE AEAD suites, release buffers
// (tests/attacks, row 58). Thread-safe: sessions are made on every loop while Reload swaps
// contexts.
class TlsContext {
 public:
  // An error names the file and what is wrong with it.
  static Result<std::shared_ptr<TlsContext>> Create(const TlsOptions& options);
  ~TlsContext();
  Result<void> Reload();  // same paths; on error the old identities stay
  bool Serves(std::string_view domain) const;
  // Seconds since the epoch when the first certificate to expire does.
  int64_t FirstExpiry() const;

 private:
  friend class TlsSession;
  struct Impl;  // tls_snapshot.h
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The TLS state of one connection, between its socket and its stream. Not thread-safe; lives on
// the connection's loop. Reads and writes the descriptor itself.
class TlsSession {
 public:
  enum class Status { kOk, kWantRead, kWantWrite, kClosed, kError };

  // Server side. `alpn_expected`: the listener's (direct TLS, XEP-0368); empty after STARTTLS.
  static std::unique_ptr<TlsSession> Accept(TlsContext& context, int fd);
  // Client side, for tests and load generation: no verification unless `ca_file`.
  static std::unique_ptr<TlsSession> Connect(int fd, const std::string& server_name,
                                             const std::string& alpn, const std::string& ca_file);
  ~TlsSession();

  Status Handshake();
  // Up to `size` bytes; `*n` read.
  Status Read(char* buffer, size_t size, size_t* n);
  Status Write(std::string_view bytes, size_t* n);
  bool HasPending() const;  // decrypted bytes wait inside OpenSSL
  void Shutdown();          // sends close_notify, best effort

  std::string Version() const;  // "TLSv1.3"
  std::string Cipher() const;
  std::string Sni() const;  // empty if none was sent
  std::string Alpn() const;
  bool Resumed() const;
  std::string ExporterBinding()
      const;  // RFC 9266; empty below TLS 1.3 without extended master secret
  // RFC 5929 §3, at TLS 1.3 as clients took it over without a definition; empty below TLS 1.3
  // without extended master secret.
  std::string UniqueBinding() const;
  std::string EndPointBinding()
      const;  // RFC 5929 §4 of our (server: own, client: peer's) certificate
  std::string PeerCertificateDer() const;
  std::string Error() const;  // OpenSSL's last error, for the log

 private:
  TlsSession(ssl_st* ssl, std::shared_ptr<const void> keep);
  Status StatusOf(int result);
  ssl_st* ssl_;
  std::shared_ptr<const void> keep_;  // the identities this session began with
};

}  // namespace runtime
