#include "lib/cluster/ticket_sealer.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include <memory>

#include "lib/runtime/check.h"

namespace cluster {
namespace {

// sealed = version byte, nonce, ciphertext, tag; the version byte is authenticated with it.
constexpr char kVersion = 1;
constexpr size_t kNonce = 12, kTag = 16, kKey = 32, kMinSecret = 32;

struct Free {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
  void operator()(EVP_CIPHER* c) const { EVP_CIPHER_free(c); }
  void operator()(EVP_PKEY_CTX* c) const { EVP_PKEY_CTX_free(c); }
};

// Fetched and kept once a thread: fetching costs more than sealing.
EVP_CIPHER* Gcm() {
  static thread_local std::unique_ptr<EVP_CIPHER, Free> cipher(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  return cipher.get();
}
EVP_CIPHER_CTX* Context() {
  static thread_local std::unique_ptr<EVP_CIPHER_CTX, Free> context(EVP_CIPHER_CTX_new());
  return context.get();
}

const unsigned char* In(const char* p) { return reinterpret_cast<const unsigned char*>(p); }
unsigned char* Out(char* p) { return reinterpret_cast<unsigned char*>(p); }

std::optional<std::string> OpenWith(const std::string& key, std::string_view sealed) {
  size_t size = sealed.size() - 1 - kNonce - kTag;
  std::string plain(size, '\0');
  char tag[kTag];
  sealed.copy(tag, kTag, sealed.size() - kTag);
  EVP_CIPHER_CTX* c = Context();
  int n = 0;
  CHECK(EVP_DecryptInit_ex2(c, Gcm(), In(key.data()), In(sealed.data() + 1), nullptr) == 1);
  CHECK(EVP_DecryptUpdate(c, nullptr, &n, In(sealed.data()), 1) == 1);
  CHECK(EVP_DecryptUpdate(c, Out(plain.data()), &n, In(sealed.data() + 1 + kNonce),
                          static_cast<int>(size)) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, kTag, tag) == 1);
  char rest[kTag];
  if (EVP_DecryptFinal_ex(c, Out(rest), &n) != 1) return std::nullopt;
  return plain;
}

}  // namespace

std::string DeriveSecret(std::string_view secret, std::string_view purpose) {
  std::unique_ptr<EVP_PKEY_CTX, Free> hkdf(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  std::string key(kKey, '\0');
  size_t size = key.size();
  CHECK(EVP_PKEY_derive_init(hkdf.get()) == 1);
  CHECK(EVP_PKEY_CTX_set_hkdf_md(hkdf.get(), EVP_sha256()) == 1);
  CHECK(EVP_PKEY_CTX_set1_hkdf_key(hkdf.get(), In(secret.data()),
                                   static_cast<int>(secret.size())) == 1);
  CHECK(EVP_PKEY_CTX_add1_hkdf_info(hkdf.get(), In(purpose.data()),
                                    static_cast<int>(purpose.size())) == 1);
  CHECK(EVP_PKEY_derive(hkdf.get(), Out(key.data()), &size) == 1 && size == kKey);
  return key;
}

TicketSealer::TicketSealer(const std::vector<std::string>& secrets) {
  CHECK(!secrets.empty());
  for (const std::string& secret : secrets) {
    CHECK(secret.size() >= kMinSecret);
    keys_.push_back(DeriveSecret(secret, "xylem ticket 1"));
  }
}

std::string TicketSealer::Seal(std::string_view plain) const {
  std::string sealed(1 + kNonce + plain.size() + kTag, '\0');
  sealed[0] = kVersion;
  // 96 random bits: 2^32 tickets under one key keep the odds of a repeated nonce below 2^-32.
  CHECK(RAND_bytes(Out(sealed.data() + 1), kNonce) == 1);
  char* body = sealed.data() + 1 + kNonce;
  EVP_CIPHER_CTX* c = Context();
  int n = 0;
  CHECK(EVP_EncryptInit_ex2(c, Gcm(), In(keys_.front().data()), In(sealed.data() + 1), nullptr) ==
        1);
  CHECK(EVP_EncryptUpdate(c, nullptr, &n, In(sealed.data()), 1) == 1);
  CHECK(EVP_EncryptUpdate(c, Out(body), &n, In(plain.data()), static_cast<int>(plain.size())) == 1);
  CHECK(EVP_EncryptFinal_ex(c, Out(body + n), &n) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, kTag, body + plain.size()) == 1);
  return sealed;
}

std::optional<std::string> TicketSealer::Open(std::string_view sealed) const {
  constexpr size_t kLongest = size_t{1} << 20;
  if (sealed.size() < 1 + kNonce + kTag || sealed.size() > kLongest || sealed[0] != kVersion) {
    return std::nullopt;
  }
  for (const std::string& key : keys_) {
    std::optional<std::string> plain = OpenWith(key, sealed);
    if (plain.has_value()) return plain;
  }
  return std::nullopt;
}

}  // namespace cluster
