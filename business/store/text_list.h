// A list of strings in one column: U+001F stands between them, which neither XML nor a JID allows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace business {

std::string JoinTexts(const std::vector<std::string>& texts);
std::vector<std::string> SplitTexts(std::string_view joined);

}  // namespace business
