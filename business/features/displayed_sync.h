#pragma once

#include <memory>

#include "business/feature.h"
#include "business/pep/personal_nodes.h"

namespace business {

Feature DisplayedSync(std::shared_ptr<PersonalNodes> nodes);

}  // namespace business
