#include "business/link/pending_deliveries.h"

#include <utility>

namespace business {

uint64_t PendingDeliveries::Add(const DeliveryRef& ref, uint32_t targets, uint64_t deadline_ms) {
  items_.push_back({ref, targets, deadline_ms, {}});
  return first_ + items_.size() - 1;
}

bool PendingDeliveries::OnTaken(const Taken& taken) {
  const uint64_t end = first_ + items_.size();
  if (taken.up_to >= end) return false;
  for (const Taken::Refused& refused : taken.refused) {
    if (refused.number == 0 || refused.number > taken.up_to) return false;
    if (refused.number < first_) continue;  // expired meanwhile
    Item& item = items_[refused.number - first_];
    if (refused.target >= item.targets) return false;
    item.refused.push_back({refused.target, refused.outcome});
  }
  return true;
}

bool PendingDeliveries::PopUpTo(uint64_t up_to, PartResult* result) {
  if (items_.empty() || first_ > up_to) return false;
  Pop(DeliverOutcome::kTaken, result);
  return true;
}

bool PendingDeliveries::PopExpired(uint64_t now_ms, PartResult* result) {
  if (items_.empty() || items_.front().deadline_ms > now_ms) return false;
  Pop(DeliverOutcome::kUnknown, result);
  return true;
}

bool PendingDeliveries::PopLost(PartResult* result) {
  if (items_.empty()) return false;
  Pop(DeliverOutcome::kUnknown, result);
  return true;
}

void PendingDeliveries::Pop(DeliverOutcome outcome, PartResult* result) {
  Item& item = items_.front();
  result->ref = item.ref;
  result->outcome = outcome;
  result->exceptions = std::move(item.refused);
  items_.pop_front();
  ++first_;
}

}  // namespace business
