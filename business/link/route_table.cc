#include "business/link/route_table.h"

#include <algorithm>

namespace business {

Route* RouteTable::Find(std::string_view manager, uint64_t incarnation, uint64_t connection) const {
  const auto it = peers_.find(KeyView{manager, incarnation});
  if (it == peers_.end()) return nullptr;
  const uint32_t loop = LoopOfConnection(connection);
  return loop < it->second.routes.size() ? it->second.routes[loop].get() : nullptr;
}

void RouteTable::Set(const ManagerLoop& key, uint64_t stream, int loop, ManagerStream* local) {
  Peer& peer = peers_[Key{key.manager, key.incarnation}];
  while (peer.routes.size() <= key.loop) peer.routes.push_back(std::make_unique<Route>());
  Route& route = *peer.routes[key.loop];
  if (route.stream == 0) ++peer.attached;
  route.stream = stream;
  route.loop = loop;
  route.local = local;
  route.RaiseVersion();
}

void RouteTable::Clear(const ManagerLoop& key, uint64_t stream) {
  const auto it = peers_.find(KeyView{key.manager, key.incarnation});
  if (it == peers_.end() || key.loop >= it->second.routes.size()) return;
  Route& route = *it->second.routes[key.loop];
  if (route.stream != stream) return;
  --it->second.attached;
  route.stream = 0;
  route.local = nullptr;
  route.RaiseVersion();
}

bool RouteTable::IsLinked(std::string_view manager, uint64_t incarnation) const {
  const auto it = peers_.find(KeyView{manager, incarnation});
  return it != peers_.end() && it->second.attached > 0;
}

std::vector<uint64_t> RouteTable::Incarnations(std::string_view manager) const {
  std::vector<uint64_t> found;
  for (const auto& [key, peer] : peers_) {
    if (peer.attached > 0 && key.manager == manager) found.push_back(key.incarnation);
  }
  return found;
}

void RouteTable::Sweep() {
  absl::erase_if(peers_, [](const auto& entry) {
    const Peer& peer = entry.second;
    return peer.attached == 0 && std::all_of(peer.routes.begin(), peer.routes.end(),
                                             [](const auto& route) { return route->idle(); });
  });
}

}  // namespace business
