#pragma once

#include "business/feature.h"

namespace business {

struct Shard;

inline constexpr size_t kMaxVcard = 200 * 1024;  // bytes; a photo is most of it

Feature VcardTemp(Shard* shard);

}  // namespace business
