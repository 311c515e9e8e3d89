// Sessions of the whole cluster, as an operator sees and ends them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "business/admin/admin_answer.h"
#include "business/session/session_survey.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace xylem::v1 {
class KickSessionRequest;
class ListSessionsRequest;
}  // namespace xylem::v1

namespace business {

class SessionKicker;

// Lives on loop 0.
class SessionMethods {
 public:
  SessionMethods(cluster::SessionRegistry* registry, runtime::RedisClient* redis,
                 SessionKicker* ender)
      : survey_(registry, redis), ender_(ender) {}

  // Ordered by JID. Of the whole cluster: a walk through the managers' sets of accounts, no
  // snapshot; with `more`, which ones are left out is not defined.
  runtime::Task<AdminAnswer> List(xylem::v1::ListSessionsRequest request);
  runtime::Task<AdminAnswer> Kick(xylem::v1::KickSessionRequest request);

 private:
  using Row = SessionSurvey::Row;
  using Rows = SessionSurvey::Rows;
  static AdminAnswer ListAnswer(Rows rows, size_t limit);

  SessionSurvey survey_;
  SessionKicker* const ender_;
};

}  // namespace business
