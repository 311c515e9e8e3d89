// The one place that turns text into XML. Everything Xylem sends was written here.
#pragma once

#include <string>
#include <string_view>

namespace xmpp {

// Appends `text` with & < > (and, for attributes, ' and white space other than space as character
// references) escaped. `text` must be valid UTF-8 without characters XML 1.0 forbids.
void AppendEscapedText(std::string* out, std::string_view text);
void AppendEscapedAttribute(std::string* out, std::string_view text);
// Appends ` name='escaped value'`.
void AppendAttribute(std::string* out, std::string_view name, std::string_view value);
std::string EscapeText(std::string_view text);

}  // namespace xmpp
