// RFC 4648 base32, lower case, no padding: how tags and cluster ids are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cluster {

std::string Base32(std::string_view bytes);
// nullopt: what Base32 would not have written.
std::optional<std::string> ParseBase32(std::string_view text);

}  // namespace cluster
