// The implemented specifications as a DOAP file, printed from the features' declarations.
#pragma once

#include <string>
#include <vector>

#include "business/feature.h"

namespace business {

// RDF/XML as XEP-0453 has it, by number, one entry a specification.
std::string DoapFile(const std::vector<Feature>& features);

}  // namespace business
