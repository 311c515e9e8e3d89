// XEP-0030: Service Discovery 2.5, disco#items. What hangs below the server and accounts.
#include "business/features/disco_items.h"

#include <utility>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::StanzaError;

Task<IqReply> Answer(std::shared_ptr<const DiscoAnswers> answers, Addressee addressee, Iq iq) {
  const std::string node(iq.Payload().Attr("node"));
  DiscoParts said = co_await AskExtensions(answers, addressee, DiscoQuestion::kItems, iq, node);
  if (said.error) co_return *said.error;
  if (said.parts.empty() && addressee == Addressee::kAccount) {
    co_return StanzaError::ServiceUnavailable();  // §8
  }
  if (said.parts.empty() && !node.empty()) co_return StanzaError::ItemNotFound("no such node");
  xmpp::Element query("query", xmpp::ns::kDiscoItems);
  if (!node.empty()) query.SetAttr("node", node);
  for (auto& part : said.parts) {
    for (xmpp::Element& element : part) query.Add(std::move(element));
  }
  co_return IqReply::Result(std::move(query));
}

}  // namespace

Feature DiscoItems(std::shared_ptr<const DiscoAnswers> answers) {
  Feature feature;
  feature.name = "disco_items";
  feature.specs = {{.xep = 30, .version = "2.5"}};
  feature.disco.server = {xmpp::ns::kDiscoItems};
  feature.disco.account = {xmpp::ns::kDiscoItems};
  for (Addressee addressee : {Addressee::kServer, Addressee::kOwnAccount, Addressee::kAccount}) {
    feature.iqs.push_back({IqType::kGet, xmpp::ns::kDiscoItems, "query", addressee,
                           [answers, addressee](Iq iq) {
                             return Answer(answers, addressee, std::move(iq));
                           }});
  }
  return feature;
}

}  // namespace business
