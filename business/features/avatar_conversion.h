#pragma once

#include <memory>

#include "business/feature.h"
#include "business/features/vcard_temp.h"
#include "business/pep/personal_nodes.h"

namespace business {

Feature AvatarConversion(std::shared_ptr<PersonalNodes> nodes);
// From a vCard that was set to the nodes.
VcardWritten AvatarFromVcard(std::shared_ptr<PersonalNodes> nodes);

// `presence` (canonical, available) as it is to be sent: with the avatar's hash, unless its client
// speaks of a photo itself (XEP-0398 §4).
std::string WithPhotoHash(const std::string& presence, std::string_view hash);

}  // namespace business
