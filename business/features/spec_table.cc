#include "business/features/spec_table.h"

#include <cstdio>
#include <map>
#include <utility>

namespace business {
namespace {

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

std::vector<SpecRow> SpecRows(const std::vector<Feature>& features) {
  std::map<std::pair<int, int>, SpecRow> rows;
  for (const Feature& feature : features) {
    for (const Spec& spec : feature.specs) {
      const auto [at, fresh] = rows.try_emplace({spec.xep, spec.rfc}, SpecRow{.spec = spec});
      SpecRow& row = at->second;
      row.spec.version = spec.version;
      row.spec.partial = row.spec.partial && spec.partial;
      if (!fresh) row.features += ", ";
      row.features += feature.name;
    }
  }
  std::vector<SpecRow> list;
  for (auto& [number, row] : rows) list.push_back(std::move(row));
  return list;
}

std::string SpecTable(const std::vector<Feature>& features) {
  std::string table = "| Specification | Version | Feature |\n|---|---|---|\n";
  for (const SpecRow& row : SpecRows(features)) {
    table.append("| ").append(NameOf(row.spec)).append(" | ").append(row.spec.version);
    table.append(" | ").append(row.features).append(" |\n");
  }
  return table;
}

}  // namespace business
