// Which of our loops holds the stream of which manager loop.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace business {

class ManagerStream;

// One event loop of one run of a manager: what an Attach stream is for.
struct ManagerLoop {
  std::string manager;
  uint64_t incarnation = 0;
  uint32_t loop = 0;
  friend bool operator==(const ManagerLoop&, const ManagerLoop&) = default;
  friend auto operator<=>(const ManagerLoop&, const ManagerLoop&) = default;
};

constexpr uint32_t kMaxManagerLoops = 256;
// connmgr/business_links.h: the loop's index stands in a connection number's top 8 bits.
constexpr uint32_t LoopOfConnection(uint64_t connection) {
  return static_cast<uint32_t>(connection >> 56);
}

// The way to one manager loop, with what this loop has under way on it.
//
// R5: deliveries that were issued one behind the other arrive so or fail from one point on. When
// one fails as a whole (link lost, queue full), those behind it that its issuer sent without
// knowing must fail, too, and nothing may overtake them on a new stream. Hence the version: it
// rises with each failure, the stream refuses what carries an old one, and until everything of
// older versions is answered the route is not usable.
struct Route {
  uint64_t stream = 0;             // ManagerStream::id; 0 = not attached
  int loop = 0;                    // ours, that the stream lives on
  ManagerStream* local = nullptr;  // if that is this loop
  uint64_t version = 0;
  uint32_t outstanding = 0;  // parts of this version without an answer
  uint32_t stale = 0;        // of older versions

  bool usable() const { return stream != 0 && stale == 0; }
  bool idle() const { return outstanding == 0 && stale == 0; }
  void RaiseVersion() {
    ++version;
    stale += outstanding;
    outstanding = 0;
  }
};

// One loop's copy, told of changes by the loops that the streams live on; reading it takes no lock.
// Lives on its loop.
class RouteTable {
 public:
  // nullptr: never heard of. Stays valid until Sweep.
  Route* Find(std::string_view manager, uint64_t incarnation, uint64_t connection) const;
  void Set(const ManagerLoop& key, uint64_t stream, int loop, ManagerStream* local);
  // Unless another stream has taken its place.
  void Clear(const ManagerLoop& key, uint64_t stream);
  bool IsLinked(std::string_view manager, uint64_t incarnation) const;
  // Incarnations of `manager` that are attached.
  std::vector<uint64_t> Incarnations(std::string_view manager) const;
  template <typename Work>
  void ForEach(Work work) {
    for (auto& [key, peer] : peers_) {
      for (auto& route : peer.routes) {
        if (route != nullptr) work(*route);
      }
    }
  }
  // Forgets managers that are gone and have nothing under way.
  void Sweep();

 private:
  struct Peer {
    std::vector<std::unique_ptr<Route>> routes;  // by the manager's loop
    uint32_t attached = 0;
  };
  struct KeyView {
    std::string_view manager;
    uint64_t incarnation;
  };
  struct Key {
    std::string manager;
    uint64_t incarnation;
    operator KeyView() const { return {manager, incarnation}; }
  };
  // Incarnations are drawn at random: enough to spread by.
  struct Hash {
    using is_transparent = void;
    size_t operator()(KeyView key) const { return absl::HashOf(key.incarnation); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(KeyView a, KeyView b) const {
      return a.incarnation == b.incarnation && a.manager == b.manager;
    }
  };

  absl::flat_hash_map<Key, Peer, Hash, Equal> peers_;
};

}  // namespace business
