#include "lib/cluster/base32.h"

#include <cstdint>

namespace cluster {

std::string Base32(std::string_view bytes) {
  constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  uint32_t bits = 0;
  int held = 0;
  for (char c : bytes) {
    bits = (bits << 8) | static_cast<uint8_t>(c);
    held += 8;
    while (held >= 5) {
      held -= 5;
      text.push_back(kAlphabet[(bits >> held) & 31]);
    }
  }
  if (held > 0) text.push_back(kAlphabet[(bits << (5 - held)) & 31]);
  return text;
}

std::optional<std::string> ParseBase32(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 5 / 8);
  uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    const bool letter = c >= 'a' && c <= 'z';
    if (!letter && !(c >= '2' && c <= '7')) return std::nullopt;
    bits = (bits << 5) | static_cast<uint32_t>(letter ? c - 'a' : c - '2' + 26);
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<char>((bits >> held) & 255));
  }
  if (held >= 5 || (bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace cluster
