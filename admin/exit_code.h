// How xylemctl ends: what scripts may rely on.
#pragma once

#include <string>

namespace admin {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,  // refused by the server, or a check failed
  kBadConfig = 2,
  kNotFound = 3,
  kAlreadyThere = 4,
  kUnavailable = 5,  // no business server reached, or Redis, the store or a link in trouble
  kNotAllowed = 6,
  kUsage = 64,  // EX_USAGE
};

// Why it ends otherwise than kOk.
struct Failure {
  ExitCode exit = ExitCode::kFailed;
  std::string code;  // "NOT_FOUND" …, for --json
  std::string text;  // one sentence
};

}  // namespace admin
