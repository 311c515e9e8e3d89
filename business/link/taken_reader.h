// Reads xylem.v1.Taken without a tree of message objects: one comes with nearly every frame.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "business/link/manager_links.h"

namespace business {

struct Taken {
  struct Refused {
    uint64_t number = 0;
    uint32_t target = 0;
    DeliverOutcome outcome = DeliverOutcome::kUnknown;  // for a reason of a later version, too
  };
  uint64_t up_to = 0;
  std::vector<Refused> refused;
};

// Into `taken`, whose storage is used again. False: malformed. Unknown fields are skipped.
bool ReadTaken(std::string_view serialised, Taken* taken);

}  // namespace business
