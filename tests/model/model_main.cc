// model [--large] [--mutant NAME] [--bounds PART] [--most WORLDS]: goes through the model's worlds
// and prints what it found; exit code 1 if an invariant does not hold.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/model/explorer.h"

namespace {

using model::Bounds;
using model::Findings;
using model::Mutant;

struct Options {
  bool large = false;
  uint64_t most = 12000000;
  std::string part;
  Mutant mutant = Mutant::kNone;
};

bool FindMutant(const std::string& name, Mutant* found) {
  for (int m = 0; m < static_cast<int>(Mutant::kCount); ++m) {
    *found = static_cast<Mutant>(m);
    if (model::MutantName(*found) == name) return true;
  }
  return false;
}

bool Read(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool value = i + 1 < argc;
    if (word == "--large") {
      options->large = true;
    } else if (word == "--most" && value) {
      options->most = strtoull(argv[++i], nullptr, 10);
    } else if (word == "--bounds" && value) {
      options->part = argv[++i];
    } else if (word != "--mutant" || !value || !FindMutant(argv[++i], &options->mutant)) {
      return false;
    }
  }
  return true;
}

bool Run(const Bounds& bounds, uint64_t most) {
  const auto begin = std::chrono::steady_clock::now();
  const Findings findings = model::Explore(model::Model(bounds), most);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  printf("%s: %llu worlds, %llu steps, depth %d, %.1f s%s%s\n", bounds.name.c_str(),
         static_cast<unsigned long long>(findings.worlds),
         static_cast<unsigned long long>(findings.steps), findings.depth, time.count(),
         findings.all ? "" : ", not all", findings.broken.empty() ? ": holds" : "");
  if (findings.broken.empty()) return true;
  printf("  %s\n", findings.broken.c_str());
  for (size_t i = 0; i < findings.trace.size(); ++i) {
    printf("  %3zu  %s\n", i + 1, findings.trace[i].c_str());
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Read(argc, argv, &options)) {
    fprintf(stderr,
            "usage: model [--large] [--mutant NAME] [--bounds PART] [--most WORLDS]\nmutants:");
    for (int m = 0; m < static_cast<int>(Mutant::kCount); ++m) {
      fprintf(stderr, " %s", std::string(model::MutantName(static_cast<Mutant>(m))).c_str());
    }
    fprintf(stderr, "\n");
    return 2;
  }
  bool holds = true;
  for (Bounds bounds : options.large ? model::LargeBounds() : model::UsualBounds()) {
    if (bounds.name.find(options.part) == std::string::npos) continue;
    bounds.mutant = options.mutant;
    holds = Run(bounds, options.most) && holds;
  }
  return holds ? 0 : 1;
}
