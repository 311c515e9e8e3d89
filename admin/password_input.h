// A password from standard input or from a terminal, never from argv.
#pragma once

#include <optional>
#include <string>

#include "admin/exit_code.h"

namespace admin {

// From stdin: its first line. Else asks twice on the terminal, without echo. nullopt = good.
std::optional<Failure> ReadPassword(bool from_stdin, std::string* password);

}  // namespace admin
