#include "business/routing/outside.h"

#include "business/session/shard.h"

namespace business {

xmpp::StanzaError RouteOutside(const Shard& shard, std::string_view domain) {
  for (const std::string& ours : shard.domains) {
    if (domain.size() > ours.size() && domain.ends_with(ours) &&
        domain[domain.size() - ours.size() - 1] == '.') {
      return xmpp::StanzaError::RemoteServerNotFound("no such component");
    }
  }
  return xmpp::StanzaError::RemoteServerNotFound();
}

}  // namespace business
