// Every feature of the business tier, once.
#pragma once

#include <memory>
#include <vector>

#include "business/feature.h"
#include "business/features/service_options.h"
#include "business/history/history_options.h"
#include "business/pep/pep_options.h"

namespace cluster {
class TicketSealer;
}

namespace business {

struct Shard;

// What features hang on. One per loop, like the features made from it.
struct FeatureWorld {
  // Stores, registry, links. Complete only once the first stanza is handled: a feature keeps the
  // pointer and looks nothing up while it is made.
  Shard* shard = nullptr;
  HistoryOptions history = {};
  PepOptions pep = {};
  ServiceOptions service = {};
  // Under a key of its own: what clients keep for commands must never open as anything else.
  std::shared_ptr<const cluster::TicketSealer> command_sealer = nullptr;
};

// In stage order. Of a default-constructed world: for what is declared, not to be run.
std::vector<Feature> AllFeatures(const FeatureWorld& world);

}  // namespace business
