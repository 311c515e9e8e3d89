#include "connmgr/effect_ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace connmgr {
namespace {

// 16 bytes of cluster id and 2 of index.
std::string Effect(uint64_t number, uint16_t index = 0) {
  std::string id(18, '\x5a');
  memcpy(id.data(), &number, sizeof number);
  memcpy(id.data() + 16, &index, sizeof index);
  return id;
}

TEST(EffectRing, KnowsWhatWasRecordedForThatConnectionOnly) {
  EffectRing ring(16);
  ring.Record(1, Effect(7), 1000);
  EXPECT_TRUE(ring.Seen(1, Effect(7), 1000));
  EXPECT_FALSE(ring.Seen(2, Effect(7), 1000));
  EXPECT_FALSE(ring.Seen(1, Effect(8), 1000));
}

TEST(EffectRing, TellsEffectsOfOneStanzaApart) {
  EffectRing ring(16);
  ring.Record(1, Effect(7, 1), 1000);
  EXPECT_TRUE(ring.Seen(1, Effect(7, 1), 1000));
  EXPECT_FALSE(ring.Seen(1, Effect(7, 2), 1000));
  EXPECT_FALSE(ring.Seen(1, Effect(7, 1).substr(0, 16), 1000));
}

TEST(EffectRing, ForgetsAfterAMinute) {
  EffectRing ring(16);
  ring.Record(1, Effect(7), 100000);
  EXPECT_TRUE(ring.Seen(1, Effect(7), 100000 + EffectRing::kKeptMs - 100));
  EXPECT_FALSE(ring.Seen(1, Effect(7), 100000 + EffectRing::kKeptMs + 100));
}

TEST(EffectRing, KeepsTheNewestOfItsCapacityExactly) {
  constexpr uint64_t kCapacity = 64;
  EffectRing ring(kCapacity);
  for (uint64_t i = 1; i <= 1000; ++i) {
    ring.Record(i % 5, Effect(i), 1000);
    for (uint64_t back = 0; back < kCapacity && back < i; ++back) {
      ASSERT_TRUE(ring.Seen((i - back) % 5, Effect(i - back), 1000)) << i << " " << back;
    }
    if (i > kCapacity) {
      ASSERT_FALSE(ring.Seen((i - kCapacity) % 5, Effect(i - kCapacity), 1000)) << i;
    }
  }
}

}  // namespace
}  // namespace connmgr
