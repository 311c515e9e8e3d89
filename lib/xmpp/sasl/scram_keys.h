// What is stored of a password (RFC 5802 §3) and the hash functions under it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xmpp::sasl {

enum class Hash : uint8_t { kSha1, kSha256, kSha512 };

// One of these per hash; the password itself is never kept.
struct ScramKeys {
  Hash hash = Hash::kSha256;
  uint32_t iterations = 4096;
  std::string salt;        // raw bytes, 16 random ones for a new password
  std::string stored_key;  // raw bytes
  std::string server_key;  // raw bytes
};

inline constexpr uint32_t kMinIterations = 4096;  // RFC 7677 §4
inline constexpr size_t kSaltBytes = 16;          // FakeKeys' salts are as long

// Derives keys from a password that PreparePassword already prepared. Costs ~1 ms of CPU: runs on a
// worker, not on a loop.
ScramKeys DeriveKeys(Hash hash, std::string_view prepared_password, std::string_view salt,
                     uint32_t iterations);
// Keys for a user that does not exist, stable per (secret, hash, username): tests/attacks, row 26.
ScramKeys FakeKeys(Hash hash, std::string_view secret, std::string_view username,
                   uint32_t iterations);
// `bytes` from the system's generator.
std::string RandomBytes(size_t bytes);

// RFC 5802 §2.2's H, HMAC, Hi and XOR, over raw bytes.
size_t DigestBytes(Hash hash);
std::string Digest(Hash hash, std::string_view text);
std::string Hmac(Hash hash, std::string_view key, std::string_view text);
std::string SaltPassword(Hash hash, std::string_view prepared_password, std::string_view salt,
                         uint32_t iterations);
std::string Xor(std::string_view a, std::string_view b);  // of equal length
// Equality in a time that does not depend on the contents.
bool SameSecret(std::string_view a, std::string_view b);

}  // namespace xmpp::sasl
