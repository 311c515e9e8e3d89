// XEP-0030: Service Discovery 2.5, disco#items. Nothing hangs below the server or an account yet.
#include "business/features/disco_items.h"

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

Task<IqReply> NoItems(Iq iq) {
  if (!iq.Payload().Attr("node").empty()) {
    co_return xmpp::StanzaError::ItemNotFound("no such node");
  }
  co_return IqReply::Result(xmpp::Element("query", xmpp::ns::kDiscoItems));
}

}  // namespace

Feature DiscoItems() {
  Feature feature;
  feature.name = "disco_items";
  feature.specs = {{.xep = 30, .version = "2.5"}};
  feature.disco.server = {xmpp::ns::kDiscoItems};
  feature.disco.account = {xmpp::ns::kDiscoItems};
  feature.iqs = {
      {IqType::kGet, xmpp::ns::kDiscoItems, "query", Addressee::kServer, NoItems},
      {IqType::kGet, xmpp::ns::kDiscoItems, "query", Addressee::kOwnAccount, NoItems},
  };
  return feature;
}

}  // namespace business
