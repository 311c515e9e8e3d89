// Deliver items of one stream that the manager has not answered.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "business/link/delivery_part.h"
#include "business/link/taken_reader.h"

namespace business {

// Lives on its stream's loop. Numbers them: contiguous, from 1.
class PendingDeliveries {
 public:
  // The item's number. `deadline_ms`: loop time; rises from call to call.
  uint64_t Add(const DeliveryRef& ref, uint32_t targets, uint64_t deadline_ms);

  // Notes what Taken refuses. False: it names what was never sent.
  bool OnTaken(const Taken& taken);

  // Takes the next answered item off; call until it says no.
  bool PopUpTo(uint64_t up_to, PartResult* result);
  // … the next whose deadline has come: kUnknown.
  bool PopExpired(uint64_t now_ms, PartResult* result);
  // … the next, as the link is gone: kUnknown.
  bool PopLost(PartResult* result);

  size_t size() const { return items_.size(); }
  // The numbers of the items kept, unless size() is 0.
  uint64_t first() const { return first_; }
  uint64_t last() const { return first_ + items_.size() - 1; }

 private:
  struct Item {
    DeliveryRef ref;
    uint32_t targets;
    uint64_t deadline_ms;
    std::vector<TargetOutcome> refused;
  };

  void Pop(DeliverOutcome outcome, PartResult* result);

  std::deque<Item> items_;
  uint64_t first_ = 1;  // number of items_.front()
};

}  // namespace business
