#include "lib/cluster/session_record.h"

#include <charconv>

#include "lib/cluster/concat.h"

namespace cluster {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// A word of the line: no blanks, no controls, never empty ("-").
std::string Word(std::string_view text) {
  if (text.empty()) return "-";
  std::string word;
  for (char c : text) {
    auto byte = static_cast<uint8_t>(c);
    if (byte > 0x20 && byte != 0x7f && c != '%' && !(c == '-' && text.size() == 1)) {
      word.push_back(c);
      continue;
    }
    word.push_back('%');
    word.push_back(kHex[byte >> 4]);
    word.push_back(kHex[byte & 15]);
  }
  return word;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<std::string> Bytes(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    int high = HexDigit(hex[i]), low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::optional<std::string> Unword(std::string_view word) {
  if (word == "-") return std::string();
  std::string text;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '%') {
      text.push_back(word[i]);
      continue;
    }
    if (i + 2 >= word.size()) return std::nullopt;
    std::optional<std::string> byte = Bytes(word.substr(i + 1, 2));
    if (!byte.has_value()) return std::nullopt;
    text += *byte;
    i += 2;
  }
  return text;
}

// Takes words off a line one by one; after the first that does not fit, all fail.
class Words {
 public:
  explicit Words(std::string_view line) : line_(line) {}
  bool good() const { return good_; }

  std::string_view Next() {
    size_t blank = line_.find(' ');
    std::string_view word = line_.substr(0, blank);
    line_ = blank == std::string_view::npos ? std::string_view() : line_.substr(blank + 1);
    if (word.empty()) good_ = false;
    return word;
  }
  template <typename T>
  T Number(int base = 10, size_t digits = 0) {
    std::string_view word = Next();
    T number{};
    auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), number, base);
    if (bad != std::errc() || end != word.data() + word.size() ||
        (digits != 0 && word.size() != digits)) {
      good_ = false;
    }
    return number;
  }
  uint64_t Hex() { return Number<uint64_t>(16, 16); }
  template <typename T>
  T Take(std::optional<T> value) {
    if (!value.has_value()) good_ = false;
    return std::move(value).value_or(T());
  }

 private:
  std::string_view line_;
  bool good_ = true;
};

}  // namespace

std::string HexText(uint64_t number) {
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; number >>= 4) text[i] = kHex[number & 15];
  return text;
}

std::string HexBytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) {
    text.push_back(kHex[static_cast<uint8_t>(c) >> 4]);
    text.push_back(kHex[static_cast<uint8_t>(c) & 15]);
  }
  return text;
}

std::string ManagerWord(std::string_view manager) { return Word(manager); }

std::string EpochText(Epoch epoch) { return HexText(epoch); }

std::optional<Epoch> ParseEpoch(std::string_view text) {
  Words words(text);
  Epoch epoch = words.Hex();
  return words.good() && text.size() == 16 ? std::optional(epoch) : std::nullopt;
}

std::string OwnerText(const Owner& owner) {
  return Concat({"1 ", HexText(owner.epoch), " ", Word(owner.manager), " ",
                 HexText(owner.incarnation), " ", HexText(owner.connection), " "});
}

SessionRecordText WriteParts(const SessionRecord& r) {
  return {OwnerText(r.owner), HexBytes(r.session), HexText(r.announced_generation),
          HexText(r.presence_number),
          Concat({std::to_string(r.since_ms), " ", std::to_string(r.flags), " ",
                  r.available ? "1" : "0", " ", std::to_string(r.priority), " ",
                  Word(r.peer_address), "\n", r.presence})};
}

std::string SessionRecord::Write() const {
  SessionRecordText t = WriteParts(*this);
  return Concat({t.owner, t.session, " ", t.generation, " ", t.presence_number, " ", t.rest});
}

std::optional<SessionRecord> SessionRecord::Parse(std::string_view resource,
                                                  std::string_view text) {
  size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos || text.substr(0, 2) != "1 ") return std::nullopt;
  Words words(text.substr(2, line_end - 2));
  SessionRecord r;
  r.resource = resource;
  r.owner.epoch = words.Hex();
  r.owner.manager = words.Take(Unword(words.Next()));
  r.owner.incarnation = words.Hex();
  r.owner.connection = words.Hex();
  r.session = words.Take(Bytes(words.Next()));
  r.announced_generation = words.Hex();
  r.presence_number = words.Hex();
  r.since_ms = words.Number<uint64_t>();
  r.flags = words.Number<uint64_t>();
  r.available = words.Number<int>() == 1;
  r.priority = words.Number<int32_t>();
  r.peer_address = words.Take(Unword(words.Next()));
  if (!words.good()) return std::nullopt;
  r.presence = text.substr(line_end + 1);
  return r;
}

}  // namespace cluster
