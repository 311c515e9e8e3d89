// Connection managers, as an operator sees and drains them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "business/admin/admin_answer.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/task.h"

namespace xylem::v1 {
class DrainManagerRequest;
class Empty;
}  // namespace xylem::v1

namespace business {

class LinkServer;

// One run of a manager, by what Redis says and what this process is linked to.
struct ManagerState {
  uint32_t loops = 0;     // attached to this process
  uint64_t sessions = 0;  // whose home is here
  bool lease = false;
  bool draining = false;
};
using ManagerStates = std::map<std::pair<std::string, uint64_t>, ManagerState>;

// Lives on loop 0. That a drain was ordered is remembered in Redis (x:draining): the managers do
// not tell, and the next operator may ask another business server.
class ManagerMethods {
 public:
  // Sessions of a manager's run on one loop; called on that loop.
  using SessionsOf =
      std::function<uint64_t(int loop, const std::string& manager, uint64_t incarnation)>;

  ManagerMethods(runtime::LoopGroup* loops, runtime::RedisClient* redis,
                 std::function<LinkServer*()> link_server, SessionsOf sessions_of)
      : loops_(loops),
        redis_(redis),
        link_server_(std::move(link_server)),
        sessions_of_(std::move(sessions_of)) {}

  runtime::Task<AdminAnswer> List(xylem::v1::Empty request);
  runtime::Task<AdminAnswer> Drain(xylem::v1::DrainManagerRequest request);

  // For the doctor too; without `sessions`.
  runtime::Task<runtime::Result<ManagerStates>> States();

 private:
  runtime::Task<void> CountSessions(ManagerStates* states);
  runtime::Task<runtime::Result<void>> RememberDrain(ManagerStates states, std::string instance,
                                                     bool undrain);
  void AddLinked(ManagerStates* states) const;

  runtime::LoopGroup* const loops_;
  runtime::RedisClient* const redis_;
  const std::function<LinkServer*()> link_server_;
  const SessionsOf sessions_of_;
};

}  // namespace business
