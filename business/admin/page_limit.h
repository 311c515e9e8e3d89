// How many rows one answer has.
#pragma once

#include <algorithm>
#include <cstdint>

namespace business {

// 0 = 1000. 10000 rows with JIDs of ordinary length fit into one gRPC message.
constexpr uint32_t PageLimit(uint32_t asked) {
  return asked == 0 ? 1000 : std::min<uint32_t>(asked, 10000);
}

}  // namespace business
