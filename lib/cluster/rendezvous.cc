#include "lib/cluster/rendezvous.h"

#include <algorithm>
#include <numeric>

namespace cluster {
namespace {

// FNV-1a, 64 bits: fixed for ever, because every process and version has to choose alike.
uint64_t Fnv(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (char c : text) {
    h ^= static_cast<uint8_t>(c);
    h *= 0x100000001b3u;
  }
  return h;
}

// The finaliser of splitmix64: each bit of the input reaches each bit of the output.
uint64_t Mix(uint64_t h) {
  h += 0x9e3779b97f4a7c15u;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

// Mixed twice, with a product between: names that differ in their last digit only ("business-1",
// "business-2") have neighbouring FNV sums.
uint64_t Combine(uint64_t member, uint64_t key) { return Mix(Mix(member) + 3 * Mix(key)); }

}  // namespace

uint64_t RendezvousWeight(std::string_view member, std::string_view key) {
  return Combine(Fnv(member), Fnv(key));
}

int RendezvousChoose(const std::vector<std::string>& members, std::string_view key) {
  int best = -1;
  uint64_t best_weight = 0;
  uint64_t hash = Fnv(key);
  for (size_t i = 0; i < members.size(); ++i) {
    uint64_t weight = Combine(Fnv(members[i]), hash);
    bool better =
        weight > best_weight ||
        (weight == best_weight && (best < 0 || members[i] < members[static_cast<size_t>(best)]));
    if (!better) continue;
    best = static_cast<int>(i);
    best_weight = weight;
  }
  return best;
}

std::vector<int> RendezvousOrder(const std::vector<std::string>& members, std::string_view key) {
  std::vector<uint64_t> weights;
  weights.reserve(members.size());
  uint64_t hash = Fnv(key);
  for (const std::string& member : members) weights.push_back(Combine(Fnv(member), hash));
  std::vector<int> order(members.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    auto x = static_cast<size_t>(a), y = static_cast<size_t>(b);
    return weights[x] != weights[y] ? weights[x] > weights[y] : members[x] < members[y];
  });
  return order;
}

}  // namespace cluster
