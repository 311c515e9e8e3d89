// XEP-0030: Service Discovery 2.5, disco#info. Says what the server and accounts are.
#include "business/features/disco_info.h"

#include <utility>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::StanzaError;

// §7 for what does not exist, §8 for what the asker may not know.
StanzaError Nothing(Addressee addressee) {
  if (addressee == Addressee::kAccount) return StanzaError::ServiceUnavailable();
  return StanzaError::ItemNotFound("no such node");
}

Task<IqReply> Answer(std::shared_ptr<const DiscoAnswers> answers, Addressee addressee, Iq iq) {
  const std::string node(iq.Payload().Attr("node"));
  DiscoParts said = co_await AskExtensions(answers, addressee, DiscoQuestion::kInfo, iq, node);
  if (said.error) co_return *said.error;
  const bool nothing = said.parts.empty();
  if (nothing && (!node.empty() || addressee == Addressee::kAccount)) co_return Nothing(addressee);
  xmpp::Element query("query", xmpp::ns::kDiscoInfo);
  if (!node.empty()) {
    query.SetAttr("node", node);
  } else {
    query = addressee == Addressee::kServer ? answers->server : answers->account;
  }
  for (auto& part : said.parts) {
    for (xmpp::Element& element : part) query.Add(std::move(element));
  }
  co_return IqReply::Result(std::move(query));
}

}  // namespace

Feature DiscoInfo(std::shared_ptr<const DiscoAnswers> answers) {
  Feature feature;
  feature.name = "disco_info";
  feature.specs = {{.xep = 30, .version = "2.5"}};
  feature.disco.server = {xmpp::ns::kDiscoInfo};
  feature.disco.account = {xmpp::ns::kDiscoInfo};
  feature.disco.server_identities = {{"server", "im", "Xylem"}};
  feature.disco.account_identities = {{"account", "registered", ""}};
  for (Addressee addressee : {Addressee::kServer, Addressee::kOwnAccount, Addressee::kAccount}) {
    feature.iqs.push_back({IqType::kGet, xmpp::ns::kDiscoInfo, "query", addressee,
                           [answers, addressee](Iq iq) {
                             return Answer(answers, addressee, std::move(iq));
                           }});
  }
  return feature;
}

}  // namespace business
