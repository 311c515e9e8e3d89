// What xylemctl writes: one JSON object with --json, else text for people.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "admin/exit_code.h"

namespace admin {

using Json = nlohmann::ordered_json;

class Output {
 public:
  Output(bool json, std::ostream* out, std::ostream* err) : json_(json), out_(out), err_(err) {}

  bool json() const { return json_; }
  void WriteJson(const Json& object);
  // The first row is the header. Nothing but the header: nothing is written.
  void WriteTable(const std::vector<std::vector<std::string>>& rows);
  void WriteLine(const std::string& text);
  // A remark that is no part of the answer, on stderr, line by line.
  void WriteNote(const std::string& text);
  // The sentence on stderr; with --json also {"error": {"code", "text"}} as the one object.
  ExitCode Fail(const Failure& failure);

 private:
  const bool json_;
  std::ostream* const out_;
  std::ostream* const err_;
};

// "2026-11-24 10:54:00", local time; "-" for 0.
std::string TimeText(int64_t seconds);
// 16 digits: a JSON number would lose the low bits.
std::string HexText(uint64_t number);

}  // namespace admin
