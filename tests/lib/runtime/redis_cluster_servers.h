// A Redis Cluster of three masters, a third of the slots each.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "lib/runtime/redis_slots.h"
#include "tests/lib/runtime/redis_server.h"

namespace runtime {

class RedisClusterServers {
 public:
  RedisClusterServers() {
    for (auto& node : nodes_) {
      node = std::make_unique<RedisServer>(
          RedisServer::Words{"--cluster-enabled", "yes", "--cluster-port",
                             std::to_string(FreePort()), "--cluster-node-timeout", "500"},
          FreePort());
    }
    Join();
  }
  RedisServer& operator[](size_t i) { return *nodes_[i]; }
  std::string IdOf(size_t node) { return nodes_[node]->Do({"CLUSTER", "MYID"}); }
  static size_t OwnerOf(int slot) {
    return std::min<size_t>(static_cast<size_t>(slot) / kShare, 2);
  }

 private:
  static constexpr int kShare = 5461;

  void Join() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const int first = static_cast<int>(i) * kShare;
      const int last = i == 2 ? kRedisSlots - 1 : first + kShare - 1;
      EXPECT_EQ(
          nodes_[i]->Do({"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(last)}),
          "OK");
      if (i == 0) continue;
      EXPECT_EQ(nodes_[0]->Do({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[i]->port()),
                               BusPort(*nodes_[i])}),
                "OK");
    }
    for (auto& node : nodes_) {
      EXPECT_TRUE(Eventually([&] {
        std::string info = node->Do({"CLUSTER", "INFO"});
        return info.find("cluster_state:ok") != std::string::npos &&
               info.find("cluster_slots_ok:16384") != std::string::npos &&
               info.find("cluster_known_nodes:3") != std::string::npos;
      }));
    }
  }
  static std::string BusPort(const RedisServer& node) {
    std::string port = node.Do({"CONFIG", "GET", "cluster-port"});
    port = port.substr(port.find('\n') + 1);
    return port.substr(0, port.find('\n'));
  }

  std::array<std::unique_ptr<RedisServer>, 3> nodes_;
};

}  // namespace runtime
