// The part of the configuration that features of the service read.
#pragma once

#include <string>
#include <vector>

#include "business/features/service_options.h"

namespace xylem::config {
class Business;
}

namespace business {

// Problems are appended to `errors`, one sentence each with its key path. `administrators` is left
// to the caller.
void ReadService(const xylem::config::Business& config, ServiceOptions* service,
                 std::vector<std::string>* errors);

}  // namespace business
