#include "lib/xmpp/sasl/scram_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdlib>

namespace xmpp::sasl {
namespace {

const EVP_MD* Algorithm(Hash hash) {
  switch (hash) {
    case Hash::kSha1:
      return EVP_sha1();
    case Hash::kSha256:
      return EVP_sha256();
    case Hash::kSha512:
      return EVP_sha512();
  }
  std::abort();
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// These fail only when memory or the library itself is broken; going on would mean weak secrets.
void Require(bool worked) {
  if (!worked) std::abort();
}

}  // namespace

ScramKeys DeriveKeys(Hash hash, std::string_view prepared_password, std::string_view salt,
                     uint32_t iterations) {
  std::string salted = SaltPassword(hash, prepared_password, salt, iterations);
  std::string client_key = Hmac(hash, salted, "Client Key");
  ScramKeys keys{.hash = hash,
                 .iterations = iterations,
                 .salt = std::string(salt),
                 .stored_key = Digest(hash, client_key),
                 .server_key = Hmac(hash, salted, "Server Key")};
  OPENSSL_cleanse(salted.data(), salted.size());
  OPENSSL_cleanse(client_key.data(), client_key.size());
  return keys;
}

ScramKeys FakeKeys(Hash hash, std::string_view secret, std::string_view username,
                   uint32_t iterations) {
  const auto derive = [&](char purpose, size_t bytes) {
    std::string label{purpose, static_cast<char>('0' + static_cast<int>(hash))};
    label.append(username);
    return Hmac(Hash::kSha512, secret, label).substr(0, bytes);
  };
  return ScramKeys{.hash = hash,
                   .iterations = iterations,
                   .salt = derive('s', kSaltBytes),
                   .stored_key = derive('c', DigestBytes(hash)),
                   .server_key = derive('v', DigestBytes(hash))};
}

std::string RandomBytes(size_t bytes) {
  std::string out(bytes, '\0');
  Require(RAND_bytes(Bytes(out), static_cast<int>(bytes)) == 1);
  return out;
}

size_t DigestBytes(Hash hash) {
  switch (hash) {
    case Hash::kSha1:
      return 20;
    case Hash::kSha256:
      return 32;
    case Hash::kSha512:
      return 64;
  }
  std::abort();
}

std::string Digest(Hash hash, std::string_view text) {
  std::string out(DigestBytes(hash), '\0');
  Require(EVP_Digest(text.data(), text.size(), Bytes(out), nullptr, Algorithm(hash), nullptr) == 1);
  return out;
}

std::string Hmac(Hash hash, std::string_view key, std::string_view text) {
  std::string out(DigestBytes(hash), '\0');
  unsigned int length = 0;
  Require(HMAC(Algorithm(hash), key.empty() ? "" : key.data(), static_cast<int>(key.size()),
               Bytes(text), text.size(), Bytes(out), &length) != nullptr);
  return out;
}

std::string SaltPassword(Hash hash, std::string_view prepared_password, std::string_view salt,
                         uint32_t iterations) {
  std::string out(DigestBytes(hash), '\0');
  Require(PKCS5_PBKDF2_HMAC(prepared_password.empty() ? "" : prepared_password.data(),
                            static_cast<int>(prepared_password.size()), Bytes(salt),
                            static_cast<int>(salt.size()), static_cast<int>(iterations),
                            Algorithm(hash), static_cast<int>(out.size()), Bytes(out)) == 1);
  return out;
}

std::string Xor(std::string_view a, std::string_view b) {
  std::string out(a);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace xmpp::sasl
