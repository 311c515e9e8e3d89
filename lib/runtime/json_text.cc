#include "lib/runtime/json_text.h"

namespace runtime {
namespace {

constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

// Length of the UTF-8 character at the start of `text` and its code point; 0 = not UTF-8.
size_t DecodeUtf8(std::string_view text, uint32_t* code) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  uint8_t b = byte(0);
  if (b < 0x80) {
    *code = b;
    return 1;
  }
  if (b >= 0xC2 && b <= 0xDF && tail(1)) {
    *code = (b & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    return 2;
  }
  if ((b & 0xF0) == 0xE0 && tail(1) && tail(2)) {
    *code = (b & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    return *code < 0x800 || (*code >= 0xD800 && *code <= 0xDFFF) ? 0 : 3;
  }
  if (b >= 0xF0 && b <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    *code =
        (b & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    return *code < 0x10000 || *code > 0x10FFFF ? 0 : 4;
  }
  return 0;
}

bool MustEscape(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x61C || code == 0x200E ||
         code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

void AppendEscape(std::string* out, uint32_t code) {
  constexpr char kHex[] = "0123456789abcdef";
  out->append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out->push_back(kHex[(code >> shift) & 0xF]);
}

}  // namespace

void AppendJsonString(std::string* out, std::string_view text, size_t max_bytes) {
  bool cut = text.size() > max_bytes;
  if (cut) {
    size_t end = max_bytes < kEllipsis.size() ? 0 : max_bytes - kEllipsis.size();
    while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end);
  }
  out->push_back('"');
  while (!text.empty()) {
    uint32_t code = 0;
    size_t length = DecodeUtf8(text, &code);
    if (length == 0) {
      out->append("\\ufffd");
      text.remove_prefix(1);
      continue;
    }
    if (code == '"' || code == '\\') {
      out->push_back('\\');
      out->push_back(static_cast<char>(code));
    } else if (code == '\n') {
      out->append("\\n");
    } else if (code == '\t') {
      out->append("\\t");
    } else if (MustEscape(code)) {
      AppendEscape(out, code);
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  if (cut) out->append(kEllipsis);
  out->push_back('"');
}

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(&out, text);
  return out;
}

}  // namespace runtime
