#include "tests/model/explorer.h"

#include <algorithm>
#include <deque>

namespace model {
namespace {

uint64_t Hash(const World& world) {
  uint64_t hash = 0x9e3779b97f4a7c15u;
  const auto* bytes = reinterpret_cast<const char*>(&world);
  for (size_t left = sizeof(World); left > 0;) {
    uint64_t word = 0;
    const size_t n = std::min<size_t>(sizeof(word), left);
    std::memcpy(&word, bytes, n);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
    bytes += n;
    left -= n;
  }
  return hash;
}

// Worlds in the order they were found, and an open-addressing table of their indexes.
class Found {
 public:
  Found() : table_(1 << 16, 0) {}

  void Add(const World& world, uint32_t parent) {
    if (worlds_.size() * 2 >= table_.size()) Grow();
    uint64_t at = Hash(world) & (table_.size() - 1);
    while (table_[at] != 0) {
      if (worlds_[table_[at] - 1] == world) return;
      at = (at + 1) & (table_.size() - 1);
    }
    worlds_.push_back(world);
    parents_.push_back(parent);
    table_[at] = static_cast<uint32_t>(worlds_.size());
  }
  size_t size() const { return worlds_.size(); }
  const World& operator[](size_t i) const { return worlds_[i]; }
  uint32_t parent(size_t i) const { return parents_[i]; }

 private:
  void Grow() {
    std::vector<uint32_t> larger(table_.size() * 2, 0);
    for (uint32_t index : table_) {
      if (index == 0) continue;
      uint64_t at = Hash(worlds_[index - 1]) & (larger.size() - 1);
      while (larger[at] != 0) at = (at + 1) & (larger.size() - 1);
      larger[at] = index;
    }
    table_ = std::move(larger);
  }
  std::deque<World> worlds_;  // never copied, however many
  std::vector<uint32_t> parents_, table_;
};

std::vector<std::string> TraceTo(const Model& model, const Found& found, size_t index) {
  std::vector<std::string> lines;
  while (index != 0) {
    const size_t parent = found.parent(index);
    Successors next;
    model.Next(found[parent], &next);
    for (const Successor& s : next) {
      if (!(s.world == found[index])) continue;
      lines.push_back(s.label.ToString());
      break;
    }
    index = parent;
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

}  // namespace

Findings Explore(const Model& model, uint64_t most) {
  Findings findings;
  Found found;
  found.Add(model.First(), 0);
  size_t level_end = 1;
  Successors next;
  for (size_t i = 0; i < found.size(); ++i) {
    if (i == level_end) {
      level_end = found.size();
      ++findings.depth;
    }
    const World world = found[i];
    const char* broken = model.Broken(world);
    next.clear();
    if (broken == nullptr) {
      model.Next(world, &next);
      findings.steps += next.size();
      const bool quiet =
          std::all_of(next.begin(), next.end(), [](const Successor& s) { return s.fault; });
      if (quiet) broken = model.Stuck(world);
    }
    if (broken != nullptr) {
      findings.broken = broken;
      findings.trace = TraceTo(model, found, i);
      break;
    }
    for (const Successor& s : next) found.Add(s.world, static_cast<uint32_t>(i));
    if (found.size() > most) {
      findings.all = false;
      break;
    }
  }
  findings.worlds = found.size();
  return findings;
}

}  // namespace model
