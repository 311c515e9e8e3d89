// Whom a session has shown its presence outside of any subscription (RFC 6121 §4.6).
#pragma once

#include <cstddef>
#include <string>

namespace business {

class Session;

// The RFC has the server tell each of them when the session ends, so each is kept, and one too many
// is refused.
inline constexpr size_t kMaxDirected = 500;

// Called in the order the session submitted. `to` is a normalised JID. Gives the manager a new ticket
// if anything changed. False: there are kMaxDirected others.
bool RememberDirected(Session& session, const std::string& to);
void ForgetDirected(Session& session, const std::string& to);

}  // namespace business
