#include "connmgr/effect_ring.h"

#include <cstring>

#include "lib/runtime/check.h"

namespace connmgr {
namespace {

uint64_t Mix(uint64_t h) {
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

uint64_t Load(std::string_view bytes) {
  uint64_t word = 0;
  memcpy(&word, bytes.data(), bytes.size() < sizeof word ? bytes.size() : sizeof word);
  return word;
}

}  // namespace

EffectRing::EffectRing(size_t capacity)
    : mask_(static_cast<uint32_t>(capacity - 1)),
      entries_(new Entry[capacity]),
      newest_(new uint32_t[capacity]()) {
  CHECK(capacity >= 2 && (capacity & (capacity - 1)) == 0);
}

EffectRing::Print EffectRing::PrintOf(uint64_t connection, std::string_view effect) {
  uint64_t a = Mix(connection + 0x9e3779b97f4a7c15u);
  uint64_t b = effect.size();
  for (size_t at = 0; at < effect.size(); at += sizeof(uint64_t)) {
    const uint64_t word = Load(effect.substr(at));
    a = Mix(a ^ word);
    b = Mix(b + word + connection);
  }
  return {a, static_cast<uint32_t>(b)};
}

bool EffectRing::Seen(uint64_t connection, std::string_view effect, uint64_t now_ms) const {
  const Print print = PrintOf(connection, effect);
  const uint32_t oldest_tick = Tick(now_ms) - Tick(kKeptMs);
  // The chain runs from new to old: it ends where an entry was overwritten or is too old.
  for (uint32_t at = Newest(print); at != 0 && next_ - at <= mask_ + 1u;) {
    const Entry& entry = entries_[at & mask_];
    if (static_cast<int32_t>(entry.tick - oldest_tick) < 0) return false;
    if (Print{entry.high, entry.low} == print) return true;
    if (next_ - entry.older <= next_ - at) return false;  // it went on round the ring
    at = entry.older;
  }
  return false;
}

void EffectRing::Record(uint64_t connection, std::string_view effect, uint64_t now_ms) {
  const Print print = PrintOf(connection, effect);
  uint32_t& newest = Newest(print);
  entries_[next_ & mask_] = {print.high, print.low, Tick(now_ms), newest};
  newest = next_;
  if (++next_ == 0) next_ = 1;
}

}  // namespace connmgr
