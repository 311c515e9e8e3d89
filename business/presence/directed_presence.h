// Whom a session has shown its presence outside of any subscription (RFC 6121 §4.6).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

class Session;
struct Shard;

// The RFC has the server tell each of them when the session ends, so each is kept, and one too many
// is refused.
inline constexpr size_t kMaxDirected = 500;

// Called in the order the session submitted. `to` is a normalised JID. Gives the manager a new ticket
// if anything changed, and writes it beside the row: the ticket is lost with its manager. False:
// there are kMaxDirected others.
bool RememberDirected(Session& session, const std::string& to);
void ForgetDirected(Session& session, const std::string& to);
// It has said that it is unavailable, and they are told.
void ForgetSavedDirected(Session& session);

// What stood beside the row of a session that is over; it stands there no more. Empty if Redis does
// not answer.
runtime::Task<std::vector<std::string>> TakeSavedDirected(Shard* shard, xmpp::FullJid full,
                                                          std::string session);

}  // namespace business
