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

}  // namespace cluster
