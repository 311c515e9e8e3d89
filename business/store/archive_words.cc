#include "business/store/archive_words.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace business {
namespace {

constexpr int32_t kLongestWord = 64;  // code units: what is longer is no word, but stays findable

// Compatibility forms and case become one, marks stand apart from their letters.
icu::UnicodeString Fold(std::string_view text) {
  icu::UnicodeString folded = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  folded.foldCase();
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* apart = icu::Normalizer2::getNFKDInstance(status);
  return U_SUCCESS(status) ? apart->normalize(folded, status) : folded;
}

bool IsMark(UChar32 c) { return (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0; }

void EndWord(icu::UnicodeString& word, std::vector<std::string>* words) {
  if (word.isEmpty()) return;
  std::string bytes;
  word.toUTF8String(bytes);
  words->push_back(std::move(bytes));
  word.remove();
}

}  // namespace

std::vector<std::string> WordsOf(std::string_view text) {
  const icu::UnicodeString folded = Fold(text);
  std::vector<std::string> words;
  icu::UnicodeString word;
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    const UChar32 c = folded.char32At(i);
    if (u_isalnum(c)) {
      if (word.length() < kLongestWord) word.append(c);
    } else if (!IsMark(c)) {
      EndWord(word, &words);
    }
  }
  EndWord(word, &words);
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace business
