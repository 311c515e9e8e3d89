// The table of implemented specifications, printed from the features' declarations.
#pragma once

#include <string>
#include <vector>

#include "business/feature.h"

namespace business {

struct SpecRow {
  Spec spec;
  std::string features;  // "disco_info, disco_items"
};
// By number, RFCs first, one row a specification; partial where each of its features is.
std::vector<SpecRow> SpecRows(const std::vector<Feature>& features);

// Markdown: | Specification | Version | Feature |, by number, one row a specification.
std::string SpecTable(const std::vector<Feature>& features);

}  // namespace business
