// How a manager leaves: not ready, listeners closed, sessions ended at a pace, nothing owed.
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "connmgr/connmgr_loop.h"
#include "connmgr/settings.h"
#include "lib/runtime/admin_server.h"
#include "lib/runtime/event_loop.h"

namespace connmgr {

// One per process; lives on the first manager loop, which begins and ends it (Begin, Undo and
// Terminate: any thread). Destroy it after the loops have stopped.
//
//   kServing → kNotice → kEnding → kDrained          Begin (POST /drain, an operator's order)
//       ↑_________↲__________↲_________↲             Undo
//                                    kGone           Terminate (SIGTERM), from wherever it stands
//
// kNotice: not ready, still accepting, until the load balancer has noticed. kEnding: listeners are
// closed; each session waits for its window to be accepted, then gets `system-shutdown`; the links
// repeat their Closed until the business tier has confirmed each.
class Drain final : private runtime::Timer {
 public:
  enum class State : uint8_t { kServing, kNotice, kEnding, kDrained, kGone };

  Drain(std::vector<ConnmgrLoop*> loops, const Settings& settings, runtime::Health& health);

  // Before the first Begin, once the listeners are open: what Undo opens again. First loop only.
  void SetListeners(std::vector<ListenerSettings> listeners);

  void Begin();
  // Back to service. Sessions that were told to end do.
  void Undo();
  // Drains within `drain.deadline`, whatever is left then; `gone` is called once, on the first
  // loop. A second call changes nothing.
  void Terminate(absl::AnyInvocable<void()> gone);

  bool draining() const { return state() != State::kServing; }  // any thread
  State state() const { return state_.load(std::memory_order_relaxed); }
  // First loop only.
  // {"state":"ending","connections":3,"sessions":2,"closing":0,"unaccepted":1}
  std::string Json() const;

 private:
  // What one loop still holds, asked on that loop: counters may lag behind.
  struct Holding {
    size_t streams = 0;
    uint64_t closing = 0;
  };

  void SetState(State next);
  void BeginNotice();
  void BeginEnding();
  void CloseListeners();
  void EndStreams();
  void Ask();
  void Evaluate();
  void Finish();
  void AtHome(runtime::Callback work);
  template <typename Work>
  void OnEachLoop(Work work);
  runtime::EventLoop& home() const { return loops_.front()->loop(); }
  uint64_t Now() const { return home().NowMs(); }

  const std::vector<ConnmgrLoop*> loops_;
  const Settings& settings_;
  runtime::Health& health_;
  std::vector<ListenerSettings> listeners_;
  std::atomic<State> state_{State::kServing};
  absl::AnyInvocable<void()> gone_;  // set: terminating
  bool hurried_ = false;             // told to wait for nothing any more
  bool told_ = false;                // EndStreams went out, knowing how many there are
  uint64_t notice_until_ms_ = 0;
  uint64_t give_up_ms_ = 0;  // windows are waited for until then
  uint64_t finish_ms_ = 0;   // terminating: no later than this
  std::vector<Holding> holding_;
  size_t asked_ = 0;  // answers that are still to come
};

const char* Name(Drain::State state);

}  // namespace connmgr
