// Schema version 2: owners and the collections of instant messaging.
#pragma once

namespace business {

extern const char kCollectionsSchema[];

}  // namespace business
