#include "lib/xmpp/sasl/identity.h"

#include "lib/xmpp/jid.h"

namespace xmpp::sasl {

bool NamesAccount(std::string_view authzid, std::string_view username, std::string_view domain) {
  if (authzid.empty()) return true;
  if (authzid.find('@') == std::string_view::npos) return NormalizeLocalpart(authzid) == username;
  const auto named = BareJid::Parse(authzid);
  return named && named->local() == username && named->domain() == NormalizeDomainpart(domain);
}

}  // namespace xmpp::sasl
