// What a publish-subscribe service allows.
#pragma once

#include <cstdint>

#include "business/pubsub/node_config.h"

namespace business {

struct PubsubRules {
  NodeConfig defaults;
  NodeConfigLimits limits;
  uint32_t max_nodes = 1000;          // of an owner
  uint32_t max_subscriptions = 1000;  // of a node
  uint32_t max_affiliations = 1000;   // of a node
  uint32_t answer_bytes = 1 << 20;    // items of one answer; the rest is for the next page
};

}  // namespace business
