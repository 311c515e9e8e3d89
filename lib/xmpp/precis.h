// PRECIS (RFC 8264) on top of ICU: which code points an identifier or a free text may hold, and the
// contextual and directionality rules around them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp {

// The derived property of RFC 8264 §8, by the Unicode version of the ICU we run with.
enum class PrecisProperty : uint8_t {
  kValid,       // in both classes
  kContextJ,    // in both classes where the joiner's rule holds (RFC 5892 A.1, A.2)
  kContextO,    // in both classes where its rule holds (RFC 5892 A.3–A.9)
  kFreeOnly,    // FreeformClass only
  kUnassigned,  // never
  kDisallowed,  // never
};

enum class PrecisClass : uint8_t { kIdentifier, kFreeform };

PrecisProperty DerivedProperty(char32_t c);

// Whether every code point belongs to `string_class` and stands where its contextual rule allows.
bool Conforms(std::u32string_view text, PrecisClass string_class);

// The Bidi Rule (RFC 5893 §2) over the whole text as one label; true when nothing in it runs right
// to left.
bool ObeysBidiRule(std::u32string_view text);

// RFC 7622 §3.3.1: what the identifier class allows and a localpart does not.
constexpr bool IsExcludedFromLocalpart(char32_t c) {
  return c == '"' || c == '&' || c == '\'' || c == '/' || c == ':' || c == '<' || c == '>' ||
         c == '@';
}

bool IsAscii(std::string_view text);
// nullopt unless `text` is well-formed UTF-8.
std::optional<std::u32string> DecodeUtf8(std::string_view text);

// For registration, of a normalised localpart: whether it mixes scripts or numbering systems in a
// way that no writing system does (UTS 39 §5.2, beyond "highly restrictive").
bool IsMixedScript(std::string_view localpart);
// For registration: whether a localpart that is not ASCII is drawn like one that is (UTS 39 §4), as
// "аррӏе" wholly in Cyrillic letters.
bool LooksLikeAscii(std::string_view localpart);

}  // namespace xmpp
