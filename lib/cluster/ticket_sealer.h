// Seals session tickets: AES-256-GCM under a key that only the business tier has.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cluster {

// Thread-safe after construction. Two secrets overlap while a key is rotated: the first seals,
// all open.
class TicketSealer {
 public:
  // Each secret ≥ 32 bytes; the key is HKDF-SHA-256(secret, "xylem ticket 1").
  explicit TicketSealer(const std::vector<std::string>& secrets);
  // `plain` is a serialised xylem.v1.SealedTicket.
  std::string Seal(std::string_view plain) const;
  // nullopt: not ours, altered, or of a key that is no longer known.
  std::optional<std::string> Open(std::string_view sealed) const;

 private:
  std::vector<std::string> keys_;
};

// Names what a secret is used for, so that one file serves several keys: HKDF-SHA-256, 32 bytes.
std::string DeriveSecret(std::string_view secret, std::string_view purpose);

}  // namespace cluster
