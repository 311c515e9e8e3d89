// Redis Cluster: which master serves which slot.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/runtime/redis_client.h"

namespace runtime {

constexpr int kRedisSlots = 16384;

// A value: masters' addresses and, for each slot, an index into them.
class RedisSlotMap {
 public:
  RedisSlotMap() { owner_.fill(-1); }

  // From the reply of CLUSTER SLOTS; `asked` is the address it came from (a node may name itself by
  // an empty host). nullopt if the reply is none.
  static std::optional<RedisSlotMap> Parse(const RedisReply& reply, const std::string& asked);

  bool Complete() const { return covered_ == kRedisSlots; }
  const std::vector<std::string>& masters() const { return masters_; }
  // Address of the slot's master; empty if nobody serves it.
  const std::string& OwnerOf(int slot) const;
  void Move(int slot, const std::string& address);  // after MOVED
  // For each master a number n whose decimal text, as hash tag, falls into a slot of it.
  std::vector<std::string> TagPerMaster() const;

 private:
  int16_t IndexOf(const std::string& address);

  std::array<int16_t, kRedisSlots> owner_;
  std::vector<std::string> masters_;
  int covered_ = 0;
};

// "MOVED 3999 127.0.0.1:6381" or "ASK …".
struct RedisRedirect {
  bool ask = false;
  int slot = 0;
  std::string address;
};
std::optional<RedisRedirect> ParseRedirect(std::string_view error, const std::string& asked);

}  // namespace runtime
