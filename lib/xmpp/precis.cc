#include "lib/xmpp/precis.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <memory>

#include "lib/xmpp/jid.h"

namespace xmpp {
namespace {

// What a mapping can shrink to a legal part is at most this long; no work on longer ones.
constexpr size_t kMaxInputBytes = 3 * kMaxJidPartBytes;
// RFC 8264 §7: a string that does not settle in so many applications is refused.
constexpr int kMaxApplications = 4;

// ICU's normalizers are process-wide immutable singletons.
const icu::Normalizer2& Nfc() {
  static const icu::Normalizer2& nfc = [&]() -> const icu::Normalizer2& {
    UErrorCode error = U_ZERO_ERROR;
    return *icu::Normalizer2::getNFCInstance(error);
  }();
  return nfc;
}

const icu::Normalizer2& Nfkc() {
  static const icu::Normalizer2& nfkc = [&]() -> const icu::Normalizer2& {
    UErrorCode error = U_ZERO_ERROR;
    return *icu::Normalizer2::getNFKCInstance(error);
  }();
  return nfkc;
}

// RFC 8264 §9.6.
std::optional<PrecisProperty> Exception(char32_t c) {
  switch (c) {
    case 0x00DF:
    case 0x03C2:
    case 0x06FD:
    case 0x06FE:
    case 0x0F0B:
    case 0x3007:
      return PrecisProperty::kValid;
    case 0x00B7:
    case 0x0375:
    case 0x05F3:
    case 0x05F4:
    case 0x30FB:
      return PrecisProperty::kContextO;
    case 0x0640:
    case 0x07FA:
    case 0x302E:
    case 0x302F:
    case 0x303B:
      return PrecisProperty::kDisallowed;
    default:
      break;
  }
  if ((c >= 0x0660 && c <= 0x0669) || (c >= 0x06F0 && c <= 0x06F9)) {
    return PrecisProperty::kContextO;
  }
  if (c >= 0x3031 && c <= 0x3035) return PrecisProperty::kDisallowed;
  return std::nullopt;
}

bool IsOldHangulJamo(char32_t c) {
  const int type = u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE);
  return type == U_HST_LEADING_JAMO || type == U_HST_VOWEL_JAMO || type == U_HST_TRAILING_JAMO;
}

bool HasScript(char32_t c, UScriptCode script) {
  UErrorCode error = U_ZERO_ERROR;
  return uscript_getScript(c, &error) == script && U_SUCCESS(error);
}

bool FollowsVirama(std::u32string_view text, size_t at) {
  constexpr int kVirama = 9;
  return at > 0 && u_getCombiningClass(text[at - 1]) == kVirama;
}

UJoiningType JoiningType(char32_t c) {
  return static_cast<UJoiningType>(u_getIntPropertyValue(c, UCHAR_JOINING_TYPE));
}

// RFC 5892 A.1: between letters that join, with transparent marks allowed around.
bool StandsInCursiveBreak(std::u32string_view text, size_t at) {
  size_t before = at;
  while (before > 0 && JoiningType(text[before - 1]) == U_JT_TRANSPARENT) --before;
  if (before == 0) return false;
  const UJoiningType left = JoiningType(text[before - 1]);
  if (left != U_JT_LEFT_JOINING && left != U_JT_DUAL_JOINING) return false;
  size_t after = at + 1;
  while (after < text.size() && JoiningType(text[after]) == U_JT_TRANSPARENT) ++after;
  if (after == text.size()) return false;
  const UJoiningType right = JoiningType(text[after]);
  return right == U_JT_RIGHT_JOINING || right == U_JT_DUAL_JOINING;
}

bool HoldsAny(std::u32string_view text, char32_t first, char32_t last) {
  return std::any_of(text.begin(), text.end(), [=](char32_t c) { return c >= first && c <= last; });
}

// RFC 5892 Appendix A.
bool ContextAllows(std::u32string_view text, size_t at) {
  const char32_t c = text[at];
  switch (c) {
    case 0x200C:
      return FollowsVirama(text, at) || StandsInCursiveBreak(text, at);
    case 0x200D:
      return FollowsVirama(text, at);
    case 0x00B7:  // Catalan l·l
      return at > 0 && at + 1 < text.size() && text[at - 1] == U'l' && text[at + 1] == U'l';
    case 0x0375:
      return at + 1 < text.size() && HasScript(text[at + 1], USCRIPT_GREEK);
    case 0x05F3:
    case 0x05F4:
      return at > 0 && HasScript(text[at - 1], USCRIPT_HEBREW);
    case 0x30FB:
      return std::any_of(text.begin(), text.end(), [](char32_t other) {
        return HasScript(other, USCRIPT_HIRAGANA) || HasScript(other, USCRIPT_KATAKANA) ||
               HasScript(other, USCRIPT_HAN);
      });
    default:
      if (c >= 0x0660 && c <= 0x0669) return !HoldsAny(text, 0x06F0, 0x06F9);
      if (c >= 0x06F0 && c <= 0x06F9) return !HoldsAny(text, 0x0660, 0x0669);
      return false;
  }
}

void AppendUtf8(std::string& out, char32_t c) {
  char bytes[U8_MAX_LENGTH];
  int32_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, c);
  out.append(bytes, static_cast<size_t>(length));
}

std::string EncodeUtf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size() * 2);
  for (const char32_t c : text) AppendUtf8(out, c);
  return out;
}

// RFC 8265 §3.3.1: full-width and half-width forms become what they decompose to.
std::u32string MapWidth(const std::u32string& text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    const int type = c < 0x3000 ? U_DT_NONE : u_getIntPropertyValue(c, UCHAR_DECOMPOSITION_TYPE);
    icu::UnicodeString mapped;
    if ((type == U_DT_WIDE || type == U_DT_NARROW) && Nfkc().getRawDecomposition(c, mapped)) {
      for (int32_t i = 0; i < mapped.length(); i = mapped.moveIndex32(i, 1)) {
        out.push_back(static_cast<char32_t>(mapped.char32At(i)));
      }
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::optional<std::string> ToNfc(std::string_view text) {
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  UErrorCode error = U_ZERO_ERROR;
  Nfc().normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink,
                      nullptr, error);
  if (U_FAILURE(error)) return std::nullopt;
  return out;
}

std::optional<std::string> ToLower(std::string_view text) {
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  UErrorCode error = U_ZERO_ERROR;
  icu::CaseMap::utf8ToLower("", 0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())),
                            sink, nullptr, error);
  if (U_FAILURE(error)) return std::nullopt;
  return out;
}

// UsernameCaseMapped once, RFC 8265 §3.3: width, class, case, NFC, direction.
std::optional<std::string> MapUsername(std::string_view text) {
  const std::optional<std::u32string> decoded = DecodeUtf8(text);
  if (!decoded) return std::nullopt;
  const std::u32string prepared = MapWidth(*decoded);
  if (!Conforms(prepared, PrecisClass::kIdentifier)) return std::nullopt;
  const std::optional<std::string> lower = ToLower(EncodeUtf8(prepared));
  if (!lower) return std::nullopt;
  std::optional<std::string> mapped = ToNfc(*lower);
  if (!mapped) return std::nullopt;
  const std::optional<std::u32string> result = DecodeUtf8(*mapped);
  if (!result || !Conforms(*result, PrecisClass::kIdentifier) || !ObeysBidiRule(*result) ||
      std::any_of(result->begin(), result->end(), IsExcludedFromLocalpart)) {
    return std::nullopt;
  }
  return mapped;
}

// OpaqueString once, RFC 8265 §4.2. The class is checked last, as RFC 8264 §7 orders it: Hangul
// that comes decomposed is legal once composed.
std::optional<std::string> MapOpaque(std::string_view text) {
  const std::optional<std::u32string> decoded = DecodeUtf8(text);
  if (!decoded) return std::nullopt;
  std::string spaced;
  spaced.reserve(text.size());
  for (const char32_t c : *decoded) {
    AppendUtf8(spaced, c > 0x7F && u_charType(c) == U_SPACE_SEPARATOR ? U' ' : c);
  }
  std::optional<std::string> mapped = ToNfc(spaced);
  if (!mapped) return std::nullopt;
  const std::optional<std::u32string> result = DecodeUtf8(*mapped);
  if (!result || !Conforms(*result, PrecisClass::kFreeform)) return std::nullopt;
  return mapped;
}

// Applies `map` until it changes nothing more.
template <typename Map>
std::optional<std::string> ApplyUntilStable(std::string_view text, Map map) {
  if (text.empty() || text.size() > kMaxInputBytes) return std::nullopt;
  std::string current(text);
  for (int i = 0; i < kMaxApplications; ++i) {
    std::optional<std::string> next = map(current);
    if (!next || next->empty()) return std::nullopt;
    if (*next == current) {
      if (current.size() > kMaxJidPartBytes) return std::nullopt;
      return current;
    }
    current = std::move(*next);
  }
  return std::nullopt;
}

std::optional<std::string> Opaque(std::string_view text) {
  if (IsAscii(text)) {
    if (text.empty() || text.size() > kMaxJidPartBytes) return std::nullopt;
    for (const char c : text) {
      if (c < 0x20 || c == 0x7F) return std::nullopt;
    }
    return std::string(text);
  }
  return ApplyUntilStable(text, MapOpaque);
}

std::optional<std::string> AsciiLocalpart(std::string_view text) {
  if (text.empty() || text.size() > kMaxJidPartBytes) return std::nullopt;
  std::string out(text);
  for (char& c : out) {
    if (c <= 0x20 || c == 0x7F || IsExcludedFromLocalpart(static_cast<unsigned char>(c))) {
      return std::nullopt;
    }
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Configured once and then only read, which USpoofChecker promises is safe from any thread.
const USpoofChecker* ScriptChecker() {
  static const USpoofChecker* const checker = [] {
    UErrorCode error = U_ZERO_ERROR;
    USpoofChecker* made = uspoof_open(&error);
    uspoof_setChecks(made, USPOOF_RESTRICTION_LEVEL | USPOOF_MIXED_NUMBERS | USPOOF_INVISIBLE,
                     &error);
    uspoof_setRestrictionLevel(made, USPOOF_HIGHLY_RESTRICTIVE);
    return U_SUCCESS(error) ? made : nullptr;
  }();
  return checker;
}

}  // namespace

PrecisProperty DerivedProperty(char32_t c) {
  if (c >= 0x21 && c <= 0x7E) return PrecisProperty::kValid;
  if (const auto exception = Exception(c)) return *exception;
  const int8_t category = u_charType(c);
  const bool noncharacter = u_hasBinaryProperty(c, UCHAR_NONCHARACTER_CODE_POINT);
  if (category == U_UNASSIGNED && !noncharacter) return PrecisProperty::kUnassigned;
  if (u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL)) return PrecisProperty::kContextJ;
  if (noncharacter || IsOldHangulJamo(c) ||
      u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) || category == U_CONTROL_CHAR) {
    return PrecisProperty::kDisallowed;
  }
  // A code point that cannot stand in NFKC is one that NFKC changes: §9.17 HasCompat.
  if (u_getIntPropertyValue(c, UCHAR_NFKC_QUICK_CHECK) == UNORM_NO) {
    return PrecisProperty::kFreeOnly;
  }
  const uint32_t mask = U_MASK(category);
  constexpr uint32_t kLetterDigits = U_GC_LL_MASK | U_GC_LU_MASK | U_GC_LO_MASK | U_GC_ND_MASK |
                                     U_GC_LM_MASK | U_GC_MN_MASK | U_GC_MC_MASK;
  constexpr uint32_t kFree = U_GC_LT_MASK | U_GC_NL_MASK | U_GC_NO_MASK | U_GC_ME_MASK |
                             U_GC_ZS_MASK | U_GC_S_MASK | U_GC_P_MASK;
  if (mask & kLetterDigits) return PrecisProperty::kValid;
  if (mask & kFree) return PrecisProperty::kFreeOnly;
  return PrecisProperty::kDisallowed;
}

bool Conforms(std::u32string_view text, PrecisClass string_class) {
  for (size_t i = 0; i < text.size(); ++i) {
    switch (DerivedProperty(text[i])) {
      case PrecisProperty::kValid:
        break;
      case PrecisProperty::kContextJ:
      case PrecisProperty::kContextO:
        if (!ContextAllows(text, i)) return false;
        break;
      case PrecisProperty::kFreeOnly:
        if (string_class != PrecisClass::kFreeform) return false;
        break;
      case PrecisProperty::kUnassigned:
      case PrecisProperty::kDisallowed:
        return false;
    }
  }
  return true;
}

bool ObeysBidiRule(std::u32string_view text) {
  if (text.empty()) return true;
  uint32_t seen = 0;  // directions that occur, as bits
  for (const char32_t c : text) seen |= U_MASK(u_charDirection(c));
  constexpr uint32_t kRightToLeft = U_MASK(U_RIGHT_TO_LEFT) | U_MASK(U_RIGHT_TO_LEFT_ARABIC);
  constexpr uint32_t kArabicNumber = U_MASK(U_ARABIC_NUMBER);
  if (!(seen & (kRightToLeft | kArabicNumber))) return true;

  constexpr uint32_t kEuropeanNumber = U_MASK(U_EUROPEAN_NUMBER);
  constexpr uint32_t kLeftToRight = U_MASK(U_LEFT_TO_RIGHT);
  constexpr uint32_t kNeutral = kEuropeanNumber | U_MASK(U_EUROPEAN_NUMBER_SEPARATOR) |
                                U_MASK(U_COMMON_NUMBER_SEPARATOR) |
                                U_MASK(U_EUROPEAN_NUMBER_TERMINATOR) | U_MASK(U_OTHER_NEUTRAL) |
                                U_MASK(U_BOUNDARY_NEUTRAL) | U_MASK(U_DIR_NON_SPACING_MARK);
  size_t end = text.size();
  while (end > 0 && u_charDirection(text[end - 1]) == U_DIR_NON_SPACING_MARK) --end;
  if (end == 0) return false;
  const uint32_t first = U_MASK(u_charDirection(text.front()));
  const uint32_t last = U_MASK(u_charDirection(text[end - 1]));
  if (first & kRightToLeft) {  // conditions 2, 3 and 4
    return !(seen & ~(kRightToLeft | kArabicNumber | kNeutral)) &&
           (last & (kRightToLeft | kEuropeanNumber | kArabicNumber)) &&
           !((seen & kEuropeanNumber) && (seen & kArabicNumber));
  }
  if (first & kLeftToRight) {  // conditions 5 and 6
    return !(seen & ~(kLeftToRight | kNeutral)) && (last & (kLeftToRight | kEuropeanNumber));
  }
  return false;  // condition 1
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::optional<std::u32string> DecodeUtf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const int32_t length = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < length;) {
    UChar32 c = 0;
    U8_NEXT(bytes, i, length, c);
    if (c < 0) return std::nullopt;
    out.push_back(static_cast<char32_t>(c));
  }
  return out;
}

std::optional<std::string> NormalizeLocalpart(std::string_view text) {
  if (IsAscii(text)) return AsciiLocalpart(text);
  return ApplyUntilStable(text, MapUsername);
}

std::optional<std::string> NormalizeResourcepart(std::string_view text) { return Opaque(text); }

std::optional<std::string> PreparePassword(std::string_view text) { return Opaque(text); }

bool IsMixedScript(std::string_view localpart) {
  if (IsAscii(localpart)) return false;
  const USpoofChecker* checker = ScriptChecker();
  if (checker == nullptr) return true;
  UErrorCode error = U_ZERO_ERROR;
  const int32_t failed = uspoof_check2UTF8(checker, localpart.data(),
                                           static_cast<int32_t>(localpart.size()), nullptr, &error);
  return U_FAILURE(error) || failed != 0;
}

bool LooksLikeAscii(std::string_view localpart) {
  if (IsAscii(localpart)) return false;
  const USpoofChecker* checker = ScriptChecker();
  if (checker == nullptr) return true;
  UErrorCode error = U_ZERO_ERROR;
  icu::UnicodeString skeleton;
  const auto text = icu::UnicodeString::fromUTF8(
      icu::StringPiece(localpart.data(), static_cast<int32_t>(localpart.size())));
  uspoof_getSkeletonUnicodeString(checker, 0, text, skeleton, &error);
  if (U_FAILURE(error)) return true;
  for (int32_t i = 0; i < skeleton.length(); ++i) {
    if (skeleton.charAt(i) >= 0x80) return false;
  }
  return true;
}

}  // namespace xmpp
