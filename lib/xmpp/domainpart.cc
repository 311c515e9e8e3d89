// Domainparts, RFC 7622 §3.2: names as IDNA2008 U-labels (mapped by UTS 46) and address literals.
#include <arpa/inet.h>
#include <unicode/bytestream.h>
#include <unicode/idna.h>

#include <algorithm>

#include "lib/xmpp/jid.h"
#include "lib/xmpp/precis.h"

namespace xmpp {
namespace {

constexpr size_t kMaxInputBytes = 3 * kMaxJidPartBytes;
constexpr size_t kMaxLabelBytes = 63;

// Immutable and thread-safe by ICU's promise.
const icu::IDNA* Uts46() {
  static const icu::IDNA* const idna = [] {
    UErrorCode error = U_ZERO_ERROR;
    return icu::IDNA::createUTS46Instance(
        UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_CHECK_CONTEXTO |
            UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE,
        error);
  }();
  return idna;
}

std::optional<std::string> Ipv6Literal(std::string_view text) {
  if (text.size() < 4 || text.back() != ']') return std::nullopt;
  const std::string inner(text.substr(1, text.size() - 2));
  in6_addr address{};
  // inet_pton reads a C string; one that ends early is not the literal we were given.
  if (inner.find('\0') != std::string::npos || inet_pton(AF_INET6, inner.c_str(), &address) != 1) {
    return std::nullopt;
  }
  char written[INET6_ADDRSTRLEN];
  if (inet_ntop(AF_INET6, &address, written, sizeof written) == nullptr) return std::nullopt;
  return "[" + std::string(written) + "]";
}

enum class Labels { kPlain, kEncoded, kBad };

// Lower-case ASCII labels: letters, digits and inner hyphens. `xn--` and other reserved labels
// (hyphens third and fourth, RFC 5890 §2.3.1) are ICU's to judge.
Labels JudgeAsciiLabels(std::string_view name) {
  bool encoded = false;
  for (size_t start = 0;;) {
    const size_t end = std::min(name.find('.', start), name.size());
    const std::string_view label = name.substr(start, end - start);
    if (label.empty() || label.size() > kMaxLabelBytes || label.front() == '-' ||
        label.back() == '-') {
      return Labels::kBad;
    }
    for (const char c : label) {
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return Labels::kBad;
    }
    encoded |= label.size() > 3 && label[2] == '-' && label[3] == '-';
    if (end == name.size()) break;
    start = end + 1;
  }
  return encoded ? Labels::kEncoded : Labels::kPlain;
}

// UTS 46 lets symbols pass that IDNA2008 refuses (RFC 5892 §3). After its mapping the two
// identifier classes agree but for the blocks of RFC 5892 §2.4.
bool IsIdna2008Label(std::string_view label) {
  const std::optional<std::u32string> decoded = DecodeUtf8(label);
  if (!decoded || !Conforms(*decoded, PrecisClass::kIdentifier)) return false;
  return std::none_of(decoded->begin(), decoded->end(), [](char32_t c) {
    return (c >= 0x20D0 && c <= 0x20FF) || (c >= 0x1D100 && c <= 0x1D24F);
  });
}

bool AreIdna2008Labels(std::string_view name) {
  for (size_t start = 0;;) {
    const size_t end = std::min(name.find('.', start), name.size());
    if (!IsIdna2008Label(name.substr(start, end - start))) return false;
    if (end == name.size()) return true;
    start = end + 1;
  }
}

icu::StringPiece Piece(std::string_view text) {
  return icu::StringPiece(text.data(), static_cast<int32_t>(text.size()));
}

std::optional<std::string> ToUnicodeName(std::string_view text) {
  const icu::IDNA* idna = Uts46();
  if (idna == nullptr) return std::nullopt;
  std::string name;
  icu::StringByteSink<std::string> sink(&name);
  icu::IDNAInfo info;
  UErrorCode error = U_ZERO_ERROR;
  idna->nameToUnicodeUTF8(Piece(text), sink, info, error);
  if (U_FAILURE(error) || info.hasErrors()) return std::nullopt;
  if (name.ends_with('.')) name.pop_back();  // an ideographic full stop at the end
  return name;
}

// The labels' lengths count as A-labels. The name's own DNS bound is not RFC 7622's, 1023 is.
bool HasLegalAsciiForm(std::string_view name) {
  std::string ascii;
  icu::StringByteSink<std::string> sink(&ascii);
  icu::IDNAInfo info;
  UErrorCode error = U_ZERO_ERROR;
  Uts46()->nameToASCII_UTF8(Piece(name), sink, info, error);
  return U_SUCCESS(error) && (info.getErrors() & ~UIDNA_ERROR_DOMAIN_NAME_TOO_LONG) == 0;
}

std::optional<std::string> InternationalName(std::string_view text) {
  if (!DecodeUtf8(text)) return std::nullopt;
  std::optional<std::string> name = ToUnicodeName(text);
  if (!name || name->empty() || name->size() > kMaxJidPartBytes) return std::nullopt;
  if (!AreIdna2008Labels(*name) || !HasLegalAsciiForm(*name)) return std::nullopt;
  if (ToUnicodeName(*name) != name) return std::nullopt;  // only what is its own normal form
  return name;
}

}  // namespace

std::optional<std::string> NormalizeDomainpart(std::string_view text) {
  // §3.2: a final dot goes before anything else.
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kMaxInputBytes) return std::nullopt;
  if (text.front() == '[') return Ipv6Literal(text);
  if (!IsAscii(text)) return InternationalName(text);

  if (text.size() > kMaxJidPartBytes) return std::nullopt;
  std::string name(text);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  switch (JudgeAsciiLabels(name)) {
    case Labels::kPlain:
      return name;
    case Labels::kEncoded:
      return InternationalName(name);
    case Labels::kBad:
      break;
  }
  return std::nullopt;
}

}  // namespace xmpp
