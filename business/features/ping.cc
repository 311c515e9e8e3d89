// XEP-0199: XMPP Ping 2.0.1. Answers pings sent to the server or to one's own account.
#include "business/features/ping.h"

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

Task<IqReply> Pong(Iq) { co_return IqReply::Result(); }

}  // namespace

Feature Ping() {
  Feature feature;
  feature.name = "ping";
  feature.specs = {{.xep = 199, .version = "2.0.1"}};
  feature.disco.server = {xmpp::ns::kPing};
  feature.disco.account = {xmpp::ns::kPing};
  feature.iqs = {
      {IqType::kGet, xmpp::ns::kPing, "ping", Addressee::kServer, Pong},
      {IqType::kGet, xmpp::ns::kPing, "ping", Addressee::kOwnAccount, Pong},
  };
  return feature;
}

}  // namespace business
