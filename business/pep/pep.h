#pragma once

#include <memory>

#include "business/feature.h"
#include "business/pep/personal_nodes.h"
#include "business/pep/presence_items.h"

namespace business {

Feature Pep(std::shared_ptr<PersonalNodes> nodes, std::shared_ptr<PresenceItems> items);

}  // namespace business
