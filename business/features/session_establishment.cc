// RFC 3921 §3: session establishment, which RFC 6121 made part of binding a resource.
// COMPAT(clients of before 2011): they do not go on without it. <optional/> spares everybody else
// the round trip (draft-cridland-xmpp-session).
#include "business/features/session_establishment.h"

#include <string>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

Task<IqReply> Establish(Iq) { co_return IqReply::Result(); }

std::string Offer() {
  std::string xml = "<session xmlns='";
  return xml.append(xmpp::ns::kSession).append("'><optional/></session>");
}

}  // namespace

Feature SessionEstablishment() {
  Feature feature;
  feature.name = "session_establishment";
  feature.specs = {{.rfc = 3921}};
  feature.stream_features = {Offer};
  feature.iqs = {
      {IqType::kSet, xmpp::ns::kSession, "session", Addressee::kServer, Establish},
      {IqType::kSet, xmpp::ns::kSession, "session", Addressee::kOwnAccount, Establish},
  };
  return feature;
}

}  // namespace business
