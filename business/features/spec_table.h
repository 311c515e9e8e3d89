// The table of implemented specifications, printed from the features' declarations.
#pragma once

#include <string>
#include <vector>

#include "business/feature.h"

namespace business {

// Markdown: | Specification | Version | Feature |, by number, one row a specification.
std::string SpecTable(const std::vector<Feature>& features);

}  // namespace business
