#pragma once

#include "business/feature.h"
#include "business/features/service_options.h"

namespace business {

struct Shard;

// For who is logged in: a new password, and the end of the account. Strangers: Registrar.
Feature Registration(Shard* shard, const RegistrationOptions& options);

}  // namespace business
