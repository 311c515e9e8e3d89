#include "business/admin/admin_token.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace business {
namespace {

constexpr std::string_view kScheme = "Bearer ";

struct Digest {
  unsigned char bytes[SHA256_DIGEST_LENGTH];
  explicit Digest(std::string_view text) {
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes);
  }
};

}  // namespace

bool AdminToken::Admits(std::string_view authorization) const {
  if (token_.empty() || authorization.substr(0, kScheme.size()) != kScheme) return false;
  // Digests are of one length: the comparison does not tell how long the token is.
  const Digest ours(token_), theirs(authorization.substr(kScheme.size()));
  return CRYPTO_memcmp(ours.bytes, theirs.bytes, sizeof ours.bytes) == 0;
}

}  // namespace business
