// Strings put together in one allocation. (absl::StrCat of Debian is built for C++14 and does not
// take std::string_view.)
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace cluster {

inline std::string Concat(std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (std::string_view part : parts) size += part.size();
  std::string text;
  text.reserve(size);
  for (std::string_view part : parts) text.append(part);
  return text;
}

}  // namespace cluster
