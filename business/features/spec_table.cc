#include "business/features/spec_table.h"

#include <cstdio>
#include <map>
#include <utility>

namespace business {
namespace {

struct Row {
  std::string version;
  std::string features;
};

std::string NameOf(const Spec& spec) {
  char name[32];
  if (spec.xep != 0) {
    std::snprintf(name, sizeof name, "XEP-%04d", spec.xep);
  } else {
    std::snprintf(name, sizeof name, "RFC %d", spec.rfc);
  }
  return name;
}

}  // namespace

std::string SpecTable(const std::vector<Feature>& features) {
  std::map<std::pair<int, int>, std::pair<std::string, Row>> rows;  // RFCs first
  for (const Feature& feature : features) {
    for (const Spec& spec : feature.specs) {
      auto& [name, row] = rows[{spec.xep, spec.rfc}];
      name = NameOf(spec);
      row.version = spec.version;
      if (!row.features.empty()) row.features += ", ";
      row.features += feature.name;
    }
  }
  std::string table = "| Specification | Version | Feature |\n|---|---|---|\n";
  for (const auto& [number, named] : rows) {
    table += "| " + named.first + " | " + named.second.version + " | " + named.second.features + " |\n";
  }
  return table;
}

}  // namespace business
