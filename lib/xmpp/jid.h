// Addresses by RFC 7622: a JID is compared and stored only in its normalised form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace xmpp {

inline constexpr size_t kMaxJidPartBytes = 1023;  // RFC 7622 §3.2–3.4, after normalisation
inline constexpr size_t kMaxJidBytes = 3 * kMaxJidPartBytes + 2;

// Any address: domainpart with an optional localpart and an optional resourcepart. Immutable value,
// always normalised (PRECIS UsernameCaseMapped / OpaqueString, IDNA2008 by UTS 46). 40 bytes.
class Jid {
 public:
  Jid() = default;

  // Parses and normalises `text` (≤ 3071 bytes). nullopt when any part breaks RFC 7622 §3
  // (the stanza error is then `jid-malformed`).
  static std::optional<Jid> Parse(std::string_view text);
  // Joins parts that are given separately; empty local/resource mean "absent". Normalises.
  static std::optional<Jid> Make(std::string_view local, std::string_view domain,
                                 std::string_view resource);
  // For text that this class produced earlier (records, tickets, envelopes): splits, does not
  // normalise or check. Never for a stranger's bytes.
  static Jid FromNormalized(std::string text);

  std::string_view local() const { return std::string_view(text_).substr(0, at_); }
  std::string_view domain() const;
  std::string_view resource() const;
  // "local@domain/resource" with absent parts left out.
  const std::string& ToString() const { return text_; }
  std::string_view BareView() const { return std::string_view(text_).substr(0, slash_); }

  bool empty() const { return text_.empty(); }
  bool HasLocal() const { return at_ != 0; }
  bool HasResource() const { return slash_ != text_.size(); }

  friend bool operator==(const Jid& a, const Jid& b) { return a.text_ == b.text_; }
  friend auto operator<=>(const Jid& a, const Jid& b) { return a.text_ <=> b.text_; }

 protected:
  Jid(std::string text, uint16_t at, uint16_t slash)
      : text_(std::move(text)), at_(at), slash_(slash) {}

  std::string text_;
  uint16_t at_ = 0;     // length of the localpart; 0 = absent
  uint16_t slash_ = 0;  // where the resourcepart's '/' stands; text_.size() = absent
};

// An account: localpart and domainpart, no resourcepart.
class BareJid : public Jid {
 public:
  BareJid() = default;
  // nullopt if `jid` has no localpart. Drops a resourcepart.
  static std::optional<BareJid> From(const Jid& jid);
  static std::optional<BareJid> Parse(std::string_view text);  // normalises; refuses a resource
  static BareJid FromNormalized(std::string text);

 private:
  explicit BareJid(Jid jid) : Jid(std::move(jid)) {}
};

// A session's address: all three parts.
class FullJid : public Jid {
 public:
  FullJid() = default;
  static std::optional<FullJid> From(const Jid& jid);  // nullopt unless all three parts stand
  static std::optional<FullJid> Make(const BareJid& bare, std::string_view resource);  // normalises
  static FullJid FromNormalized(std::string text);
  BareJid Bare() const;

 private:
  explicit FullJid(Jid jid) : Jid(std::move(jid)) {}
};

// The parts alone, normalised; nullopt when refused. RFC 8265 §3.3 / §4.2 and RFC 7622 §3.2–3.4.
std::optional<std::string> NormalizeLocalpart(std::string_view text);
std::optional<std::string> NormalizeDomainpart(std::string_view text);
std::optional<std::string> NormalizeResourcepart(std::string_view text);
// Passwords: OpaqueString profile, RFC 8265 §4.2.
std::optional<std::string> PreparePassword(std::string_view text);

}  // namespace xmpp

template <>
struct std::hash<xmpp::Jid> {
  size_t operator()(const xmpp::Jid& j) const { return std::hash<std::string>()(j.ToString()); }
};
template <>
struct std::hash<xmpp::BareJid> : std::hash<xmpp::Jid> {};
template <>
struct std::hash<xmpp::FullJid> : std::hash<xmpp::Jid> {};
