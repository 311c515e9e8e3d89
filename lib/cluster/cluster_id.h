// The cluster id of a stanza (R2): trace id, effect id and stanza-id in one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cluster {

using ClusterId = std::array<char, 16>;

// Keyed 128-bit hash of (origin, number, digest of the canonical bytes and `to`): the same stanza
// submitted again gets the same id, and the origin cannot be recovered from it. SipHash-2-4-128
// under a secret of the business tier. Not thread-safe: one per loop.
class ClusterIdMaker {
 public:
  explicit ClusterIdMaker(std::string_view secret);
  ~ClusterIdMaker();
  ClusterId Make(std::string_view origin, uint64_t number, std::string_view to,
                 std::string_view bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// 26 characters, base32 lower case: how it stands in stanza-id and in logs.
std::string ClusterIdText(const ClusterId& id);
// nullopt: not such a text.
std::optional<ClusterId> ParseClusterId(std::string_view text);
// Effect id: cluster id and index, 16 + 2 bytes.
std::string EffectId(const ClusterId& id, uint16_t index);

}  // namespace cluster
