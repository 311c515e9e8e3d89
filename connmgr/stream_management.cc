#include "connmgr/stream_management.h"

#include <utility>

namespace connmgr {

void StreamManagement::Hold(uint64_t out_seq, NumberedStanza stanza) {
  const size_t size = stanza.body.size() + stanza.to.size();
  if (out_seq <= written_ || held_.size() >= kMaxHeld || held_bytes_ + size > kMaxHeldBytes) return;
  if (held_.try_emplace(out_seq, std::move(stanza)).second) held_bytes_ += size;
}

std::optional<NumberedStanza> StreamManagement::TakeNext() {
  // Some may have come another way meanwhile.
  while (!held_.empty() && held_.begin()->first <= written_) {
    held_bytes_ -= held_.begin()->second.body.size() + held_.begin()->second.to.size();
    held_.erase(held_.begin());
  }
  if (!HoldsNext()) return std::nullopt;
  NumberedStanza stanza = std::move(held_.begin()->second);
  held_bytes_ -= stanza.body.size() + stanza.to.size();
  held_.erase(held_.begin());
  return stanza;
}

void StreamManagement::Wrote() {
  ++written_;
  HeardOf(written_);
}

void StreamManagement::DropHeld() {
  held_.clear();
  held_bytes_ = 0;
}

StreamManagement::Confirmation StreamManagement::Confirm(uint32_t h) {
  const uint32_t more = h - static_cast<uint32_t>(confirmed_);
  if (more == 0) return Confirmation::kOld;
  if (more > written_ - confirmed_) {
    // Half of the circle lies behind.
    return more >= (uint32_t{1} << 31) ? Confirmation::kOld : Confirmation::kTooHigh;
  }
  confirmed_ += more;
  return Confirmation::kNew;
}

}  // namespace connmgr
