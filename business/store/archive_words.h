// Words of a text, as archives are searched for them (XEP-0431) where the engine has no search of
// its own that knows every script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace business {

// Runs of letters, digits and marks (Unicode), each once, without case and diacritics; long ones
// are cut.
std::vector<std::string> WordsOf(std::string_view text);

}  // namespace business
