// Which archives keep a message, decided before it is its turn to be committed.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <utility>

namespace business {

// Lives on the loop of the stanza's session; held by its StageEvent and by who decides.
class KeptMessage {
 public:
  bool by_sender = false;
  bool by_recipient = false;
  // Once it is committed: milliseconds since the epoch, in the recipient's archive, else the
  // sender's.
  int64_t stamp_ms = 0;

  bool by_anybody() const { return by_sender || by_recipient; }

  // `by_…` stand.
  void Decided() {
    decided_ = true;
    if (when_decided_) std::exchange(when_decided_, nullptr)();
  }
  // Calls `then` once it is decided: now, or later.
  void WhenDecided(absl::AnyInvocable<void()> then) {
    if (decided_) return then();
    when_decided_ = std::move(then);
  }

 private:
  bool decided_ = false;
  absl::AnyInvocable<void()> when_decided_;
};

}  // namespace business
