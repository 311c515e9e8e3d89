#pragma once

#include <vector>

#include "business/features/command.h"
#include "business/features/service_options.h"

namespace business {

struct Shard;

// XEP-0133: for the administrators of the configuration, what xylemctl does as well.
std::vector<Command> AdminCommands(Shard* shard, const ServiceOptions& options);
Feature ServiceAdministration();

}  // namespace business
