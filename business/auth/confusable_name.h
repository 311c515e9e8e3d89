// Which names may not be registered because people would take them for other names.
#pragma once

#include <string_view>

namespace business {

// Of a normalised localpart: whether it mixes scripts as no writing system does, or is drawn like
// an ASCII name ("аррӏе" in Cyrillic letters) – tests/attacks, row 30, UTS 39 §4 and §5.2. An
// account that is there already keeps its name.
bool IsConfusable(std::string_view localpart);

}  // namespace business
