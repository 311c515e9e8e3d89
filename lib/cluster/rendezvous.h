// Rendezvous hashing: everybody who knows the same live set chooses the same member, and a member's
// loss moves only its own keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cluster {

// Stable 64-bit hash of (member, key); the same in every process and version.
uint64_t RendezvousWeight(std::string_view member, std::string_view key);

// Index of the member with the highest weight; -1 if there is none.
int RendezvousChoose(const std::vector<std::string>& members, std::string_view key);

// All members, best first: where to go when the first is gone.
std::vector<int> RendezvousOrder(const std::vector<std::string>& members, std::string_view key);

}  // namespace cluster
