// Deliveries that a loop issued and whose outcome is not known yet.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "business/link/delivery_part.h"
#include "business/link/manager_links.h"
#include "business/link/route_table.h"

namespace business {

// Lives on its loop. A delivery has one part per manager loop; each part is answered once, and when
// all are, `done` is called. Places are used again, so that a delivery to one session allocates
// nothing here.
class IssuedDeliveries {
 public:
  explicit IssuedDeliveries(int loop) : loop_(loop) {}

  // A delivery without parts, held open until Seal.
  uint32_t Open(size_t targets, ManagerLinks::Done done);
  // `route` null: nobody knows that manager. `index`: which of the delivery's targets the part has;
  // empty = all, in order.
  DeliveryRef AddPart(uint32_t delivery, Route* route, std::vector<uint32_t> index);
  // No more parts. True: every part is answered already, and Finish must be called.
  bool Seal(uint32_t delivery);
  // An answer; calls `done` if it was the last one and the delivery is sealed.
  void OnResult(const PartResult& result);
  // Calls `done`.
  void Finish(uint32_t delivery);

  size_t size() const { return deliveries_.size() - free_.size(); }

 private:
  struct Part {
    Route* route;
    uint64_t version;
    std::vector<uint32_t> index;
    bool held = false;  // failed, and counts as stale on its route until `done` knows
  };
  struct Delivery {
    ManagerLinks::Done done;
    std::vector<DeliverOutcome> outcomes;
    std::vector<Part> parts;
    uint32_t unanswered = 0;  // parts, and one more until sealed
  };

  static void Settle(Part* part, DeliverOutcome outcome, bool alone);

  const int loop_;
  std::deque<Delivery> deliveries_;
  std::vector<uint32_t> free_;
};

}  // namespace business
