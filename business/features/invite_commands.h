#pragma once

#include <vector>

#include "business/features/command.h"
#include "business/features/service_options.h"

namespace business {

struct Shard;

// XEP-0401: for who may invite.
std::vector<Command> InviteCommands(Shard* shard, const ServiceOptions& options);
Feature InvitationSpecs();

}  // namespace business
