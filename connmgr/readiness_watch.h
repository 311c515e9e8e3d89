// What /readyz and /startupz of a manager say, kept true by looking a few times a second.
#pragma once

#include <cstdint>
#include <vector>

#include "connmgr/admission.h"
#include "connmgr/certificates.h"
#include "connmgr/connmgr_loop.h"
#include "lib/runtime/admin_server.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"

namespace connmgr {

// Lives on the first loop. Start-up steps `redis` and `business`; reasons `no_business` (on no loop
// a live link for more than 3 s: a blink is none) and `at_limit`. Looks after the certificates'
// files, too.
class ReadinessWatch final : private runtime::Timer {
 public:
  // All must outlive it.
  ReadinessWatch(std::vector<ConnmgrLoop*> loops, Admission& admission, Certificates& certificates,
                 runtime::RedisClient& redis, runtime::Health& health);

  void Start();

 private:
  void Look();
  void LookAtBusiness(uint64_t now);
  void Say(const char* reason, const char* detail, bool stands);
  runtime::EventLoop& home() const { return loops_.front()->loop(); }

  const std::vector<ConnmgrLoop*> loops_;
  Admission& admission_;
  Certificates& certificates_;
  runtime::RedisClient& redis_;
  runtime::Health& health_;
  uint64_t business_seen_ms_ = 0;
  uint64_t files_seen_ms_ = 0;
};

}  // namespace connmgr
