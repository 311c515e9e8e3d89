#include "lib/xmpp/date_time.h"

#include <cstdio>
#include <ctime>

namespace xmpp {

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

}  // namespace xmpp
