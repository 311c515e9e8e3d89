// XEP-0030: Service Discovery 2.5, disco#info. Says what the server and one's own account are.
#include "business/features/disco_info.h"

#include <utility>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

IqReply Answer(const Iq& iq, const xmpp::Element& query) {
  // §7: there are no nodes here.
  if (!iq.Payload().Attr("node").empty()) return xmpp::StanzaError::ItemNotFound("no such node");
  return IqReply::Result(query);
}

Task<IqReply> OfServer(std::shared_ptr<const DiscoAnswers> answers, Iq iq) {
  co_return Answer(iq, answers->server);
}

Task<IqReply> OfAccount(std::shared_ptr<const DiscoAnswers> answers, Iq iq) {
  co_return Answer(iq, answers->account);
}

}  // namespace

// Somebody else's account has no route: §8 has the server say service-unavailable to who is not
// subscribed to it, just as if it did not exist, and without rosters nobody is subscribed.
Feature DiscoInfo(std::shared_ptr<const DiscoAnswers> answers) {
  const auto server = [answers](Iq iq) { return OfServer(answers, std::move(iq)); };
  const auto account = [answers](Iq iq) { return OfAccount(answers, std::move(iq)); };
  Feature feature;
  feature.name = "disco_info";
  feature.specs = {{.xep = 30, .version = "2.5"}};
  feature.disco.server = {xmpp::ns::kDiscoInfo};
  feature.disco.account = {xmpp::ns::kDiscoInfo};
  feature.disco.server_identities = {{"server", "im", "Xylem"}};
  feature.disco.account_identities = {{"account", "registered", ""}};
  feature.iqs = {
      {IqType::kGet, xmpp::ns::kDiscoInfo, "query", Addressee::kServer, server},
      {IqType::kGet, xmpp::ns::kDiscoInfo, "query", Addressee::kOwnAccount, account},
  };
  return feature;
}

}  // namespace business
