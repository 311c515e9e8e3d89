// What a session is shown of an account's resources: its own, or a contact's.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <vector>

#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"

namespace business {

class Session;

// Delivers to `session` the newest presence of each row of `account` that is available, in the
// rows' order. `cause` is the stanza that asks for it. `done` is called once the manager has answered
// for all; from inside if there is nothing to show.
void ShowPresences(Session& session, const xmpp::BareJid& account,
                   const std::vector<cluster::SessionRecord>& rows,
                   const cluster::ClusterId& cause, absl::AnyInvocable<void()> done);

}  // namespace business
