// What happens to sessions, for who tells others of it (presence).
#pragma once

#include <string>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"

namespace business {

class SessionEvents {
 public:
  virtual ~SessionEvents() = default;
  // The session `row` of `account` is over, however it ended: closed, replaced, reaped, or found to be
  // stale. May be told twice; receivers recognise the repetition by effect id. `directed`: who else
  // got its presence.
  virtual void OnSessionEnded(const xmpp::BareJid& account, const cluster::SessionRecord& row,
                              const std::vector<std::string>& directed) = 0;
};

}  // namespace business
