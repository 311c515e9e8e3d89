#pragma once

#include "business/feature.h"
#include "business/features/service_options.h"

namespace business {

Feature ServiceContacts(const ContactAddresses& contacts);

}  // namespace business
