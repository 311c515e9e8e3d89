// What travels between the loop that issued a delivery and the loop that holds the manager's
// stream.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "business/link/manager_links.h"

namespace business {

// Which delivery of which loop a Deliver item belongs to: how its answer finds back.
struct DeliveryRef {
  int issuer = 0;         // our loop that issued it
  uint32_t delivery = 0;  // of its IssuedDeliveries
  uint32_t part = 0;      // of the delivery: one per manager loop
  uint64_t version = 0;   // of the issuer's Route
};

struct TargetOutcome {
  uint32_t target = 0;  // index into the part's targets
  DeliverOutcome outcome = DeliverOutcome::kUnknown;
};

// The answer to one part, once.
struct PartResult {
  DeliveryRef ref;
  DeliverOutcome outcome = DeliverOutcome::kUnknown;  // of every target that is not listed
  std::vector<TargetOutcome> exceptions;
};

// What goes to a stream that lives on another loop: a Deliver, or the order to close a session.
struct HandedOver {
  uint64_t stream = 0;                      // ManagerStream::id
  std::shared_ptr<const DeliverBody> body;  // null: close `targets` with `error`
  std::vector<DeliverTarget> targets;
  DeliveryRef ref;
  xmpp::StreamError error{};
};

}  // namespace business
