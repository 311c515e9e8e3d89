// What is kept of messages, and how much of it.
#pragma once

#include <chrono>
#include <cstdint>

#include "business/store/offline_store.h"

namespace business {

struct HistoryOptions {
  bool archive = true;
  bool preferences = true;                 // XEP-0441: accounts say what is archived
  std::chrono::milliseconds retention{0};  // older rows go; 0: none
  uint32_t page = 50;                      // rows of a page if the client does not say
  uint32_t page_max = 250;
  uint32_t count_up_to = 10000;  // more are not counted
  bool offline = true;
  OfflineLimits offline_limits;
};

}  // namespace business
