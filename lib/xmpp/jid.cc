#include "lib/xmpp/jid.h"

#include <algorithm>
#include <array>

#include "lib/xmpp/precis.h"

namespace xmpp {
namespace {

constexpr size_t kMaxLabelBytes = 63;

// Which part a byte may stand in as it is, so that the common address needs no Unicode at all.
enum : uint8_t { kLocal = 1, kDomain = 2, kResource = 4, kHyphen = 8 };

constexpr std::array<uint8_t, 256> kPlainBytes = [] {
  std::array<uint8_t, 256> table{};
  for (int c = 0x20; c < 0x7F; ++c) {
    table[c] = kResource;
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool excluded = c == ' ' || IsExcludedFromLocalpart(static_cast<char32_t>(c));
    const bool upper = c >= 'A' && c <= 'Z';
    if (!excluded && !upper) table[c] |= kLocal;
    if (letter_or_digit || c == '-' || c == '.') table[c] |= kDomain;
    if (c == '-') table[c] |= kHyphen;
  }
  return table;
}();

bool IsPlain(std::string_view part, uint8_t kind) {
  if (part.empty() || part.size() > kMaxJidPartBytes) return false;
  uint8_t common = kind;
  for (const char c : part) common &= kPlainBytes[static_cast<uint8_t>(c)];
  return common != 0;
}

// Labels of sound length, hyphens only inside them and not third and fourth (RFC 5890 §2.3.1).
bool HasSoundLabels(std::string_view name) {
  size_t label = 0;
  char before = '.';
  for (const char c : name) {
    if (c == '.') {
      if (label == 0 || before == '-') return false;
      label = 0;
    } else {
      if (c == '-' && (label == 0 || (label == 3 && before == '-'))) return false;
      if (++label > kMaxLabelBytes) return false;
    }
    before = c;
  }
  return label != 0 && before != '-';
}

// True only for names that are certainly in normal form; the others take the long way.
bool IsPlainDomain(std::string_view name) {
  if (name.empty() || name.size() > kMaxJidPartBytes) return false;
  uint8_t common = kDomain;
  uint8_t any = 0;
  bool empty_label = false;
  char before = '.';
  for (const char c : name) {
    const uint8_t byte = kPlainBytes[static_cast<uint8_t>(c)];
    common &= byte;
    any |= byte;
    empty_label |= before == '.' && c == '.';
    before = c;
  }
  if (common == 0 || empty_label || before == '.') return false;
  return ((any & kHyphen) == 0 && name.size() <= kMaxLabelBytes) || HasSoundLabels(name);
}

}  // namespace

std::optional<Jid> Jid::Parse(std::string_view text) {
  if (text.size() > kMaxJidBytes) return std::nullopt;
  // RFC 7622 §3.1: the first '/' ends the bare JID, the first '@' before it ends the localpart.
  const size_t slash = std::min(text.find('/'), text.size());
  const std::string_view bare = text.substr(0, slash);
  const size_t found = bare.find('@');
  const size_t at = found == std::string_view::npos ? 0 : found;
  if (found == 0 || slash + 1 == text.size()) return std::nullopt;

  const std::string_view local = bare.substr(0, at);
  const std::string_view domain = at == 0 ? bare : bare.substr(at + 1);
  const std::string_view resource =
      slash == text.size() ? std::string_view() : text.substr(slash + 1);
  if (IsPlainDomain(domain) && (at == 0 || IsPlain(local, kLocal)) &&
      (resource.empty() || IsPlain(resource, kResource))) {
    return Jid(std::string(text), static_cast<uint16_t>(at), static_cast<uint16_t>(slash));
  }
  return Make(local, domain, resource);
}

std::optional<Jid> Jid::Make(std::string_view local, std::string_view domain,
                             std::string_view resource) {
  std::optional<std::string> kept_domain, kept_local, kept_resource;
  if (!IsPlainDomain(domain)) {
    kept_domain = NormalizeDomainpart(domain);
    if (!kept_domain) return std::nullopt;
    domain = *kept_domain;
  }
  if (!local.empty() && !IsPlain(local, kLocal)) {
    kept_local = NormalizeLocalpart(local);
    if (!kept_local) return std::nullopt;
    local = *kept_local;
  }
  if (!resource.empty() && !IsPlain(resource, kResource)) {
    kept_resource = NormalizeResourcepart(resource);
    if (!kept_resource) return std::nullopt;
    resource = *kept_resource;
  }
  std::string text;
  text.reserve(local.size() + domain.size() + resource.size() + 2);
  if (!local.empty()) text.append(local).push_back('@');
  text.append(domain);
  const size_t slash = text.size();
  if (!resource.empty()) {
    text.push_back('/');
    text.append(resource);
  }
  return Jid(std::move(text), static_cast<uint16_t>(local.size()), static_cast<uint16_t>(slash));
}

Jid Jid::FromNormalized(std::string text) {
  if (text.size() > kMaxJidBytes) return {};
  const size_t slash = std::min(text.find('/'), text.size());
  const size_t found = std::string_view(text).substr(0, slash).find('@');
  const size_t at = found == std::string_view::npos ? 0 : found;
  return Jid(std::move(text), static_cast<uint16_t>(at), static_cast<uint16_t>(slash));
}

std::string_view Jid::domain() const {
  const std::string_view bare = BareView();
  return at_ == 0 ? bare : bare.substr(at_ + 1);
}

std::string_view Jid::resource() const {
  return HasResource() ? std::string_view(text_).substr(slash_ + 1) : std::string_view();
}

std::optional<BareJid> BareJid::From(const Jid& jid) {
  if (!jid.HasLocal()) return std::nullopt;
  return FromNormalized(std::string(jid.BareView()));
}

std::optional<BareJid> BareJid::Parse(std::string_view text) {
  std::optional<Jid> jid = Jid::Parse(text);
  if (!jid || !jid->HasLocal() || jid->HasResource()) return std::nullopt;
  return BareJid(std::move(*jid));
}

BareJid BareJid::FromNormalized(std::string text) {
  return BareJid(Jid::FromNormalized(std::move(text)));
}

std::optional<FullJid> FullJid::From(const Jid& jid) {
  if (!jid.HasLocal() || !jid.HasResource()) return std::nullopt;
  return FullJid(Jid(jid));
}

std::optional<FullJid> FullJid::Make(const BareJid& bare, std::string_view resource) {
  if (resource.empty() || bare.empty()) return std::nullopt;
  std::optional<std::string> kept;
  if (!IsPlain(resource, kResource)) {
    kept = NormalizeResourcepart(resource);
    if (!kept) return std::nullopt;
    resource = *kept;
  }
  std::string text;
  text.reserve(bare.ToString().size() + 1 + resource.size());
  text.append(bare.ToString()).push_back('/');
  text.append(resource);
  return FromNormalized(std::move(text));
}

FullJid FullJid::FromNormalized(std::string text) {
  return FullJid(Jid::FromNormalized(std::move(text)));
}

BareJid FullJid::Bare() const { return BareJid::FromNormalized(std::string(BareView())); }

}  // namespace xmpp
