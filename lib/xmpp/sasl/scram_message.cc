#include "lib/xmpp/sasl/scram_message.h"

#include <algorithm>
#include <charconv>

#include "lib/xmpp/precis.h"
#include "lib/xmpp/sasl/base64.h"

namespace xmpp::sasl {
namespace {

// Room for two escaped identities of full length and a long channel binding.
constexpr size_t kMaxMessageBytes = 16 * 1024;

bool IsText(std::string_view message) {
  return message.size() <= kMaxMessageBytes && message.find('\0') == std::string_view::npos &&
         DecodeUtf8(message).has_value();
}

bool IsNonce(std::string_view text) {  // printable = %x21-2B / %x2D-7E
  return !text.empty() && text.size() <= 1024 && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= 0x21 && c <= 0x7E && c != ',';
  });
}

bool IsBindingType(std::string_view text) {  // cb-name
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
  });
}

// Takes comma-separated attributes one by one from the front of a message.
class AttributeReader {
 public:
  explicit AttributeReader(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return at_end_; }

  // The field up to the next comma, whatever it is.
  std::string_view Field() {
    const size_t comma = rest_.find(',');
    const std::string_view field = rest_.substr(0, comma);
    at_end_ = comma == std::string_view::npos;
    rest_.remove_prefix(at_end_ ? rest_.size() : comma + 1);
    return field;
  }

  // The value of the attribute that must come now.
  std::optional<std::string_view> Value(char name) {
    if (at_end_ || rest_.size() < 3 || rest_[0] != name || rest_[1] != '=') return std::nullopt;
    const std::string_view value = Field().substr(2);
    if (value.empty()) return std::nullopt;
    return value;
  }

  // An optional extension: any letter but `m`, any value but an empty one.
  std::optional<std::pair<char, std::string_view>> Extension() {
    const std::string_view field = Field();
    if (field.size() < 3 || field[1] != '=' || field[0] == 'm') return std::nullopt;
    const bool letter =
        (field[0] >= 'a' && field[0] <= 'z') || (field[0] >= 'A' && field[0] <= 'Z');
    if (!letter) return std::nullopt;
    return std::pair(field[0], field.substr(2));
  }

 private:
  std::string_view rest_;
  bool at_end_ = false;
};

}  // namespace

std::optional<ClientFirst> ParseClientFirst(std::string_view message) {
  if (!IsText(message)) return std::nullopt;
  ClientFirst first;
  AttributeReader reader(message);

  const std::string_view flag = reader.Field();
  if (flag.starts_with("p=")) {
    first.flag = BindingFlag::kRequired;
    first.binding_type = flag.substr(2);
    if (!IsBindingType(first.binding_type)) return std::nullopt;
  } else if (flag == "y") {
    first.flag = BindingFlag::kUnused;
  } else if (flag != "n") {
    return std::nullopt;
  }
  if (reader.AtEnd()) return std::nullopt;

  const std::string_view authzid = reader.Field();
  if (reader.AtEnd()) return std::nullopt;
  if (!authzid.empty()) {
    if (!authzid.starts_with("a=")) return std::nullopt;
    std::optional<std::string> name = UnescapeName(authzid.substr(2));
    if (!name) return std::nullopt;
    first.authzid = std::move(*name);
  }
  const size_t header = flag.size() + 1 + authzid.size() + 1;
  first.gs2_header = message.substr(0, header);
  first.bare = message.substr(header);

  const auto username = reader.Value('n');
  const auto nonce = reader.Value('r');
  if (!username || !nonce || !IsNonce(*nonce)) return std::nullopt;
  std::optional<std::string> name = UnescapeName(*username);
  if (!name) return std::nullopt;
  first.username = std::move(*name);
  first.nonce = *nonce;
  while (!reader.AtEnd()) {
    if (!reader.Extension()) return std::nullopt;
  }
  return first;
}

std::optional<ClientFinal> ParseClientFinal(std::string_view message) {
  if (!IsText(message)) return std::nullopt;
  const size_t before_proof = message.rfind(",p=");
  if (before_proof == std::string_view::npos) return std::nullopt;
  ClientFinal final_message;
  final_message.without_proof = message.substr(0, before_proof);
  std::optional<std::string> proof = DecodeBase64(message.substr(before_proof + 3));

  AttributeReader reader(final_message.without_proof);
  const auto binding = reader.Value('c');
  const auto nonce = reader.Value('r');
  if (!proof || !binding || !nonce || !IsNonce(*nonce)) return std::nullopt;
  std::optional<std::string> decoded = DecodeBase64(*binding);
  if (!decoded) return std::nullopt;
  while (!reader.AtEnd()) {
    if (!reader.Extension()) return std::nullopt;
  }
  final_message.binding = std::move(*decoded);
  final_message.nonce = *nonce;
  final_message.proof = std::move(*proof);
  return final_message;
}

std::optional<ServerFirst> ParseServerFirst(std::string_view message) {
  if (!IsText(message)) return std::nullopt;
  ServerFirst first;
  AttributeReader reader(message);
  const auto nonce = reader.Value('r');
  const auto salt = reader.Value('s');
  const auto iterations = reader.Value('i');
  if (!nonce || !IsNonce(*nonce) || !salt || !iterations) return std::nullopt;
  std::optional<std::string> decoded = DecodeBase64(*salt);
  const char* end = iterations->data() + iterations->size();
  const auto number = std::from_chars(iterations->data(), end, first.iterations);
  if (!decoded || number.ec != std::errc() || number.ptr != end) return std::nullopt;
  first.nonce = *nonce;
  first.salt = std::move(*decoded);
  while (!reader.AtEnd()) {
    const auto extension = reader.Extension();
    if (!extension) return std::nullopt;
    if (extension->first == 'h') first.offer_hash = extension->second;
  }
  return first;
}

std::optional<std::string> UnescapeName(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::string name;
  name.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',') return std::nullopt;
    if (text[i] != '=') {
      name.push_back(text[i]);
      continue;
    }
    const std::string_view code = text.substr(i + 1, 2);
    if (code != "2C" && code != "3D") return std::nullopt;
    name.push_back(code == "2C" ? ',' : '=');
    i += 2;
  }
  return name;
}

std::string EscapeName(std::string_view name) {
  std::string text;
  text.reserve(name.size());
  for (const char c : name) {
    if (c == ',') {
      text.append("=2C");
    } else if (c == '=') {
      text.append("=3D");
    } else {
      text.push_back(c);
    }
  }
  return text;
}

}  // namespace xmpp::sasl
