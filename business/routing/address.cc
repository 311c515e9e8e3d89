#include "business/routing/address.h"

#include "business/session/shard.h"

namespace business {

Address AddressOf(const Shard& shard, const xmpp::Stanza& stanza, const xmpp::BareJid& sender) {
  if (stanza.to.empty()) return {Address::Kind::kNone, sender};
  xmpp::Jid to = xmpp::Jid::FromNormalized(stanza.to);
  if (!shard.Serves(to.domain())) return {Address::Kind::kOutside, std::move(to)};
  using Kind = Address::Kind;
  const Kind kind = to.HasLocal() ? (to.HasResource() ? Kind::kResource : Kind::kAccount)
                                  : (to.HasResource() ? Kind::kServerResource : Kind::kServer);
  return {kind, std::move(to)};
}

}  // namespace business
