// What a TlsContext holds between two reloads. Used by tls.cc and tls_session.cc only.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib/runtime/tls.h"

namespace runtime {

template <auto kFree>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using SslCtxPtr = std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX_free>>;

// One ticket key: 16 bytes of name, 32 for HMAC-SHA-256, 32 for AES-256-CBC (RFC 5077 §4).
struct TicketKey {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> mac;
  std::array<unsigned char, 32> cipher;
};

struct TlsIdentityContext {
  SslCtxPtr ctx;
  std::string end_point;  // RFC 5929 §4 hash of its certificate
};

// Immutable once made; sessions share it and keep it alive, for OpenSSL's callbacks point into it.
struct TlsSnapshot {
  std::vector<TlsIdentityContext> identities;
  std::map<std::string, size_t, std::less<>> by_domain;  // lower case
  bool serves_all = false;                               // an identity for "*"
  size_t fallback = 0;                                   // for "*", and for clients without SNI
  std::vector<TicketKey> ticket_keys;                    // newest first
  std::string alpn;                                      // wire format
  int64_t first_expiry = INT64_MAX;

  const TlsIdentityContext* Find(std::string_view domain) const;
};

struct TlsContext::Impl {
  TlsOptions options;
  std::mutex mutex;
  std::shared_ptr<const TlsSnapshot> snapshot;

  std::shared_ptr<const TlsSnapshot> Current() {
    std::lock_guard lock(mutex);
    return snapshot;
  }
};

// Hash of a certificate by its own signature's hash, MD5 and SHA-1 raised to SHA-256; empty for
// signatures without one (RFC 5929 §4.1).
std::string EndPointHash(X509* certificate);

// A BIO on a socket that raises no SIGPIPE and does not own the descriptor.
BIO* NewSocketBio(int fd);

}  // namespace runtime
