// Breadth-first search through all worlds that the steps reach, each once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/model.h"

namespace model {

struct Findings {
  uint64_t worlds = 0, steps = 0;
  int depth = 0;
  bool all = true;                 // else: stopped at `most`
  std::string broken;              // empty: everything holds
  std::vector<std::string> trace;  // the shortest way there
};

// `most`: worlds, each of which takes sizeof(World) + 12 bytes at least.
Findings Explore(const Model& model, uint64_t most);

}  // namespace model
