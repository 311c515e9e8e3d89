// Base64 as RFC 6120 §6.4.2 wants it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xmpp::sasl {

// "=" and "" are empty data; nullopt on anything not canonical: white space, missing padding, bytes
// behind it, unused bits that are not zero.
std::optional<std::string> DecodeBase64(std::string_view text);
// "" for empty data; whoever sends empty data that must be seen as such writes "=".
std::string EncodeBase64(std::string_view raw);

}  // namespace xmpp::sasl
