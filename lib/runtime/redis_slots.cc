#include "lib/runtime/redis_slots.h"

#include <charconv>

#include "lib/runtime/redis_resolver.h"

namespace runtime {
namespace {

// CRC16-CCITT (XMODEM): polynomial 0x1021, start 0, as the cluster specification names it.
constexpr std::array<uint16_t, 256> MakeCrcTable() {
  std::array<uint16_t, 256> table{};
  for (int i = 0; i < 256; ++i) {
    auto crc = static_cast<uint16_t>(i << 8);
    for (int bit = 0; bit < 8; ++bit) {
      crc = static_cast<uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    table[static_cast<size_t>(i)] = crc;
  }
  return table;
}
constexpr std::array<uint16_t, 256> kCrc = MakeCrcTable();

std::string JoinAddress(const std::string& host, const std::string& port,
                        const std::string& asked) {
  std::string name = host.empty() || host == "?" ? SplitRedisAddress(asked).first : host;
  if (name.find(':') != std::string::npos) name = "[" + name + "]";
  return name + ":" + port;
}

}  // namespace

uint16_t RedisSlot(std::string_view key) {
  size_t open = key.find('{');
  if (open != std::string_view::npos) {
    size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  uint16_t crc = 0;
  for (char c : key) {
    crc = static_cast<uint16_t>((crc << 8) ^ kCrc[((crc >> 8) ^ static_cast<uint8_t>(c)) & 0xff]);
  }
  return crc & (kRedisSlots - 1);
}

std::optional<RedisSlotMap> RedisSlotMap::Parse(const RedisReply& reply, const std::string& asked) {
  using Kind = RedisReply::Kind;
  if (reply.kind != Kind::kArray || reply.array.empty()) return std::nullopt;
  RedisSlotMap map;
  for (const RedisReply& range : reply.array) {
    // [first slot, last slot, [host, port, id …] of the master, replicas …]
    if (range.kind != Kind::kArray || range.array.size() < 3) return std::nullopt;
    const RedisReply& master = range.array[2];
    int64_t first = range.array[0].integer, last = range.array[1].integer;
    if (first < 0 || last >= kRedisSlots || first > last || master.array.size() < 2) {
      return std::nullopt;
    }
    std::string address =
        JoinAddress(master.array[0].text, std::to_string(master.array[1].integer), asked);
    for (int64_t slot = first; slot <= last; ++slot) map.Move(static_cast<int>(slot), address);
  }
  return map;
}

int16_t RedisSlotMap::IndexOf(const std::string& address) {
  for (size_t i = 0; i < masters_.size(); ++i) {
    if (masters_[i] == address) return static_cast<int16_t>(i);
  }
  masters_.push_back(address);
  return static_cast<int16_t>(masters_.size() - 1);
}

void RedisSlotMap::Move(int slot, const std::string& address) {
  int16_t& owner = owner_[static_cast<size_t>(slot)];
  if (owner < 0) ++covered_;
  owner = IndexOf(address);
}

const std::string& RedisSlotMap::OwnerOf(int slot) const {
  static const std::string kNobody;
  int16_t owner = owner_[static_cast<size_t>(slot)];
  return owner < 0 ? kNobody : masters_[static_cast<size_t>(owner)];
}

std::vector<std::string> RedisSlotMap::TagPerMaster() const {
  std::vector<std::string> tags(masters_.size());
  size_t found = 0;
  for (int n = 0; n < 8 * kRedisSlots && found < tags.size(); ++n) {
    std::string text = std::to_string(n);
    int16_t owner = owner_[RedisSlot(text)];
    if (owner < 0 || !tags[static_cast<size_t>(owner)].empty()) continue;
    tags[static_cast<size_t>(owner)] = text;
    ++found;
  }
  std::erase(tags, std::string());  // a master whose last slot has just moved away
  return tags;
}

std::optional<RedisRedirect> ParseRedirect(std::string_view error, const std::string& asked) {
  RedisRedirect redirect;
  if (error.starts_with("MOVED ")) {
    error.remove_prefix(6);
  } else if (error.starts_with("ASK ")) {
    redirect.ask = true;
    error.remove_prefix(4);
  } else {
    return std::nullopt;
  }
  auto [end, bad] = std::from_chars(error.data(), error.data() + error.size(), redirect.slot);
  size_t space = static_cast<size_t>(end - error.data());
  if (bad != std::errc() || redirect.slot < 0 || redirect.slot >= kRedisSlots ||
      space >= error.size() || error[space] != ' ') {
    return std::nullopt;
  }
  std::string_view address = error.substr(space + 1);
  size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == address.size()) return std::nullopt;
  redirect.address = JoinAddress(std::string(address.substr(0, colon)),
                                 std::string(address.substr(colon + 1)), asked);
  return redirect;
}

}  // namespace runtime
