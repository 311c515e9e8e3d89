#include "admin/output.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lib/runtime/json_text.h"

namespace admin {
namespace {

// Foreign text must not drive the terminal: what holds control characters is shown quoted and
// escaped (tests/attacks, row 54).
std::string Printable(const std::string& text) {
  std::string quoted = runtime::JsonString(text);
  const auto harmless = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return c == '"' || c == '\\'; }));
  return quoted.size() == text.size() + 2 + harmless ? text : quoted;
}

size_t Width(const std::string& text) {  // in characters
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

void Output::WriteJson(const Json& object) {
  *out_ << object.dump(2, ' ', false, Json::error_handler_t::replace) << std::endl;
}

void Output::WriteTable(const std::vector<std::vector<std::string>>& rows) {
  if (rows.size() < 2) return;
  std::vector<std::vector<std::string>> cells = rows;
  std::vector<size_t> widths(rows[0].size(), 0);
  for (auto& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = Printable(row[i]);
      widths[i] = std::max(widths[i], Width(row[i]));
    }
  }
  for (const auto& row : cells) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - Width(row[i]) + 2, ' ');
    }
    *out_ << line << '\n';
  }
  out_->flush();
}

void Output::WriteLine(const std::string& text) { *out_ << text << std::endl; }
void Output::WriteNote(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    *err_ << "xylemctl: " << Printable(line) << std::endl;
  }
}

ExitCode Output::Fail(const Failure& failure) {
  WriteNote(failure.text);
  if (json_) WriteJson({{"error", {{"code", failure.code}, {"text", failure.text}}}});
  return failure.exit;
}

std::string TimeText(int64_t seconds) {
  if (seconds == 0) return "-";
  const std::time_t time = seconds;
  std::tm local{};
  localtime_r(&time, &local);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)};
}

std::string HexText(uint64_t number) {
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

}  // namespace admin
