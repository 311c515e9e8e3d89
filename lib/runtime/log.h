// JSON lines on stderr or into a file, written by a thread of their own; never blocks serving.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace runtime {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

// A field of a log line. Strings are escaped and cut at 256 bytes (tests/attacks, row 54).
struct LogField {
  std::string_view name;
  std::string text;
  bool number = false;

  LogField(std::string_view n, std::string_view v) : name(n), text(v) {}
  LogField(std::string_view n, const char* v) : name(n), text(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), text(v) {}
  template <typename T, typename = std::enable_if_t<std::is_integral_v<T>>>
  LogField(std::string_view n, T v) : name(n), text(std::to_string(v)), number(true) {}
};

struct LogOptions {
  std::string tier, id;  // on every line
  std::string file;      // empty = stderr
  LogLevel level = LogLevel::kInfo;
};

void StartLog(const LogOptions& options);
void FlushLog();  // before exit
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);
LogLevel CurrentLogLevel();
std::string_view LogLevelName(LogLevel level);
std::optional<LogLevel> ParseLogLevel(std::string_view name);  // "debug", "info", "warn", "error"
void ReopenLog();                                              // after the file was moved away
uint64_t DroppedLogLines();
uint64_t LogWriteErrors();
uint64_t LogLines(LogLevel level);

// `event` is a short stable word ("session_bound"), `msg` a sentence. No bodies, no credentials.
void Log(LogLevel level, std::string_view event, std::string_view msg,
         std::initializer_list<LogField> fields = {});

inline void LogDebug(std::string_view event, std::string_view msg,
                     std::initializer_list<LogField> fields = {}) {
  if (LogEnabled(LogLevel::kDebug)) Log(LogLevel::kDebug, event, msg, fields);
}
inline void LogInfo(std::string_view event, std::string_view msg,
                    std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, msg, fields);
}
inline void LogWarn(std::string_view event, std::string_view msg,
                    std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarn, event, msg, fields);
}
inline void LogError(std::string_view event, std::string_view msg,
                     std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, msg, fields);
}

}  // namespace runtime
