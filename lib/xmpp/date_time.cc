#include "lib/xmpp/date_time.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace xmpp {
namespace {

// Reads numbers of fixed width and single characters from the front of a text.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // `digits` of them, at most `max`.
  int Number(size_t digits, int max) {
    int value = 0;
    const std::string_view part = text_.substr(0, digits);
    const auto read = std::from_chars(part.data(), part.data() + part.size(), value);
    good_ &= part.size() == digits && part[0] != '-' && read.ec == std::errc() &&
             read.ptr == part.data() + part.size() && value <= max;
    text_.remove_prefix(part.size());
    return value;
  }
  bool Skip(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void Require(char c) { good_ &= Skip(c); }
  // Of any number of digits behind a point.
  int Milliseconds() {
    int ms = 0;
    size_t digits = 0;
    for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1), ++digits) {
      if (digits < 3) ms = ms * 10 + (text_[0] - '0');
    }
    good_ &= digits > 0;
    for (; digits < 3; ++digits) ms *= 10;
    return ms;
  }
  bool good() const { return good_; }
  bool at_end() const { return good_ && text_.empty(); }

 private:
  std::string_view text_;
  bool good_ = true;
};

}  // namespace

std::string DateTimeText(int64_t ms) {
  int64_t rest = ms % 1000;
  if (rest < 0) rest += 1000;
  const auto seconds = static_cast<std::time_t>((ms - rest) / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest != 0) {
    n += static_cast<size_t>(
        std::snprintf(text + n, sizeof text - n, ".%03d", static_cast<int>(rest)));
  }
  return std::string(text, n) + "Z";
}

std::optional<int64_t> ParseDateTime(std::string_view text) {
  Reader reader(text);
  const int year = reader.Number(4, 9999);
  reader.Require('-');
  const int month = reader.Number(2, 12);
  reader.Require('-');
  const int day = reader.Number(2, 31);
  reader.Require('T');
  const int hour = reader.Number(2, 23);
  reader.Require(':');
  const int minute = reader.Number(2, 59);
  reader.Require(':');
  const int second = reader.Number(2, 60);  // a leap second is the next one
  const int ms = reader.Skip('.') ? reader.Milliseconds() : 0;
  int offset = 0;  // minutes
  if (!reader.Skip('Z')) {
    const bool west = reader.Skip('-');
    if (!west) reader.Require('+');
    const int hours = reader.Number(2, 23);
    reader.Require(':');
    offset = (hours * 60 + reader.Number(2, 59)) * (west ? -1 : 1);
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!reader.at_end() || year == 0 || !date.ok()) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute - offset) * 60'000 + second * 1000 + ms;
}

}  // namespace xmpp
