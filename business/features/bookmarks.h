#pragma once

#include <memory>

#include "business/feature.h"
#include "business/features/private_xml.h"
#include "business/pep/personal_nodes.h"

namespace business {

Feature Bookmarks(std::shared_ptr<PersonalNodes> nodes);
// The third of the three that are kept the same.
PrivateXmlMirror BookmarkMirror(std::shared_ptr<PersonalNodes> nodes);

}  // namespace business
