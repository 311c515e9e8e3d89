// What PEP is allowed.
#pragma once

#include <cstdint>

#include "business/pubsub/pubsub_rules.h"

namespace business {

struct PepOptions {
  PubsubRules rules;
  // Notifications that an account's changes may cause, per second and at once (tests/attacks, row
  // 41). 0: no limit.
  uint32_t notifications_per_second = 1000;
  uint32_t notification_burst = 20000;
};

}  // namespace business
