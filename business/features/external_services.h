#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "business/feature.h"
#include "business/features/service_options.h"

namespace business {

struct Shard;

// A TURN server that shares the secret (coturn: use-auth-secret, static-auth-secret) takes them
// until `expires`, in seconds since the epoch.
struct TurnCredentials {
  std::string username, password;
};
TurnCredentials MakeTurnCredentials(std::string_view secret, std::string_view user,
                                    int64_t expires);

Feature ExternalServices(Shard* shard, const ServiceOptions& options);

}  // namespace business
