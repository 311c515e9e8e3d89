// A listening socket of one event loop.
#pragma once

#include "connmgr/admission.h"
#include "connmgr/loop_counters.h"
#include "connmgr/settings.h"
#include "lib/runtime/event_loop.h"

namespace connmgr {

class ConnmgrLoop;

// Lives on its loop. Each loop has one for each configured address (SO_REUSEPORT): the kernel
// spreads clients over the loops, nothing is handed over. Under pressure it accepts later: clients
// wait in the kernel's queue and are not reset.
class Listener final : private runtime::FdHandler, private runtime::Timer {
 public:
  explicit Listener(ConnmgrLoop& loop) : runtime::Timer(&OnResume), loop_(loop) {}
  ~Listener() override { Close(); }

  // false with errno if the address cannot be had. Port 0 becomes the one given.
  bool Open(const ListenerSettings& settings);
  // Takes what already waits in the kernel's queue, whatever its pace, then stops: closing first
  // would reset it. May be opened again.
  void Close();

  const ListenerSettings& settings() const { return settings_; }

 private:
  void OnFdEvents(uint32_t events) override;
  static void OnResume(runtime::Timer* timer);
  // false: nothing more to accept for now.
  bool AcceptOne(Admission::Pace pace);
  void Pause(Refusal refusal);

  ConnmgrLoop& loop_;
  ListenerSettings settings_;
  int fd_ = -1;
};

}  // namespace connmgr
