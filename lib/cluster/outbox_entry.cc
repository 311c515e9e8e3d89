#include "lib/cluster/outbox_entry.h"

#include <charconv>

#include "lib/cluster/concat.h"

namespace cluster {
namespace {

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool FromHex(std::string_view hex, std::string* bytes) {
  if (hex.size() % 2 != 0) return false;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = Digit(hex[i]), low = Digit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes->push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

std::string_view TakeWord(std::string_view* text) {
  const size_t blank = text->find(' ');
  const std::string_view word = text->substr(0, blank);
  *text = blank == std::string_view::npos ? std::string_view() : text->substr(blank + 1);
  return word;
}

}  // namespace

std::string EntryFront(const OutboxEntry& entry) {
  const char start[] = {static_cast<char>('0' + entry.stanza_class),
                        static_cast<char>('0' + entry.kind)};
  return Concat({std::string_view(start, 2), " ", std::to_string(entry.flags), " ",
                 std::to_string(entry.stamp_ms), " ",
                 HexBytes(entry.effect), " "});
}

std::optional<OutboxEntry> ParseEntry(std::string_view text, std::string shown) {
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return std::nullopt;
  std::string_view front = text.substr(0, line);
  const std::string_view start = TakeWord(&front), flags = TakeWord(&front),
                         stamp = TakeWord(&front),
                         effect = TakeWord(&front), others = TakeWord(&front);
  OutboxEntry entry;
  if (start.size() != 2 || !FromHex(effect, &entry.effect)) return std::nullopt;
  entry.stanza_class = static_cast<uint8_t>(start[0] - '0');
  entry.kind = static_cast<uint8_t>(start[1] - '0');
  const auto [end, bad] =
      std::from_chars(flags.data(), flags.data() + flags.size(), entry.flags);
  if (bad != std::errc() || end != flags.data() + flags.size()) return std::nullopt;
  std::from_chars(stamp.data(), stamp.data() + stamp.size(), entry.stamp_ms);
  entry.others = others;
  entry.to = front;
  if (entry.stanza_class == OutboxEntry::kPresenceClass) {
    entry.body = std::move(shown);
  } else {
    entry.body = text.substr(line + 1);
  }
  return entry;
}

std::string_view FromOf(std::string_view body) {
  // Written by our own writer: directly behind the root's name, in single quotes.
  constexpr std::string_view kFrom = " from='";
  const size_t end = body.find('>');
  const size_t at = body.substr(0, end).find(kFrom);
  if (at == std::string_view::npos) return {};
  const size_t begin = at + kFrom.size();
  return body.substr(begin, body.find('\'', begin) - begin);
}

std::string SessionOfHex(std::string_view hex) {
  std::string bytes;
  if (hex.size() != 32 || !FromHex(hex, &bytes)) return {};
  return bytes;
}

}  // namespace cluster
