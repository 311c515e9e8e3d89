#include "business/link/issued_deliveries.h"

#include <utility>

#include "lib/runtime/check.h"

namespace business {
namespace {
// A place that one large delivery blew up is not kept so.
constexpr size_t kKeptCapacity = 256;
}  // namespace

uint32_t IssuedDeliveries::Open(size_t targets, ManagerLinks::Done done) {
  uint32_t id;
  if (free_.empty()) {
    id = static_cast<uint32_t>(deliveries_.size());
    deliveries_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Delivery& delivery = deliveries_[id];
  delivery.done = std::move(done);
  delivery.outcomes.assign(targets, DeliverOutcome::kUnknown);
  delivery.unanswered = 1;
  return id;
}

DeliveryRef IssuedDeliveries::AddPart(uint32_t id, Route* route, std::vector<uint32_t> index) {
  Delivery& delivery = deliveries_[id];
  DeliveryRef ref{.issuer = loop_,
                  .delivery = id,
                  .part = static_cast<uint32_t>(delivery.parts.size()),
                  .version = route != nullptr ? route->version : 0};
  if (route != nullptr) ++route->outstanding;
  delivery.parts.push_back({route, ref.version, std::move(index)});
  ++delivery.unanswered;
  return ref;
}

bool IssuedDeliveries::Seal(uint32_t id) { return --deliveries_[id].unanswered == 0; }

void IssuedDeliveries::Settle(Part* part, DeliverOutcome outcome, bool alone) {
  if (part->route == nullptr) return;
  Route& route = *part->route;
  if (part->version == route.version) {
    --route.outstanding;
    ++route.stale;
    if (outcome != DeliverOutcome::kTaken) route.RaiseVersion();  // failed as a whole: see Route
  }
  // Nothing may go where this failed before its issuer knows. Where other managers have parts of
  // the delivery, too, that would let a slow one of them hold up this one: not then.
  part->held = alone && outcome != DeliverOutcome::kTaken;
  if (!part->held) --route.stale;
}

void IssuedDeliveries::OnResult(const PartResult& result) {
  Delivery& delivery = deliveries_[result.ref.delivery];
  CHECK(result.ref.part < delivery.parts.size());
  Part& part = delivery.parts[result.ref.part];
  Settle(&part, result.outcome, delivery.parts.size() == 1);
  if (part.index.empty()) {
    delivery.outcomes.assign(delivery.outcomes.size(), result.outcome);
  } else {
    for (uint32_t i : part.index) delivery.outcomes[i] = result.outcome;
  }
  for (const TargetOutcome& exception : result.exceptions) {
    const uint32_t i = part.index.empty() ? exception.target : part.index[exception.target];
    delivery.outcomes[i] = exception.outcome;
  }
  if (--delivery.unanswered == 0) Finish(result.ref.delivery);
}

void IssuedDeliveries::Finish(uint32_t id) {
  Delivery& delivery = deliveries_[id];  // stays where it is, whatever `done` issues
  for (const Part& part : delivery.parts) {
    if (part.held) --part.route->stale;
  }
  ManagerLinks::Done done = std::move(delivery.done);
  if (done) done(delivery.outcomes);
  done = nullptr;
  delivery.done = nullptr;
  delivery.parts.clear();
  if (delivery.outcomes.capacity() > kKeptCapacity) delivery.outcomes = {};
  free_.push_back(id);
}

}  // namespace business
