// JSON strings for log lines and admin replies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace runtime {

// Appends `text` as a JSON string with its quotes. Control characters (C0, DEL, C1), bidi controls
// and line separators leave escaped, bytes that are no UTF-8 as U+FFFD, so that a log line cannot
// drive a terminal (tests/attacks, row 54). Longer than `max_bytes`: cut at a character's border
// and ended with "…", within `max_bytes`.
void AppendJsonString(std::string* out, std::string_view text, size_t max_bytes = SIZE_MAX);
std::string JsonString(std::string_view text);

}  // namespace runtime
