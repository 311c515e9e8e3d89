// Who a client says it is: authentication and authorization identity.
#pragma once

#include <string>
#include <string_view>

namespace xmpp::sasl {

// Whether `authzid`, a bare JID (RFC 6120 §6.3.8) or a localpart alone, names the account that
// authenticated as `username` (normalised) at `domain`. Empty = not given = itself.
bool NamesAccount(std::string_view authzid, std::string_view username, std::string_view domain);

}  // namespace xmpp::sasl
