#include "business/features/disco_answers.h"

#include <set>
#include <string>
#include <utility>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

xmpp::Element Query(const std::vector<Identity>& identities,
                    const std::set<std::string_view>& features) {
  xmpp::Element query("query", xmpp::ns::kDiscoInfo);
  for (const Identity& identity : identities) {
    xmpp::Element& child = query.Add("identity", xmpp::ns::kDiscoInfo);
    child.SetAttr("category", std::string(identity.category));
    child.SetAttr("type", std::string(identity.type));
    if (!identity.name.empty()) child.SetAttr("name", std::string(identity.name));
  }
  for (std::string_view feature : features) {
    query.Add("feature", xmpp::ns::kDiscoInfo).SetAttr("var", std::string(feature));
  }
  return query;
}

}  // namespace

DiscoAnswers DiscoAnswers::Of(const std::vector<Feature>& features) {
  std::vector<Identity> server_identities, account_identities;
  std::set<std::string_view> server, account;
  for (const Feature& feature : features) {
    const Disco& disco = feature.disco;
    server.insert(disco.server.begin(), disco.server.end());
    account.insert(disco.account.begin(), disco.account.end());
    server_identities.insert(server_identities.end(), disco.server_identities.begin(),
                             disco.server_identities.end());
    account_identities.insert(account_identities.end(), disco.account_identities.begin(),
                              disco.account_identities.end());
  }
  DiscoAnswers answers;
  answers.server = Query(server_identities, server);
  answers.account = Query(account_identities, account);
  for (const Feature& feature : features) {
    for (const xmpp::Element& form : feature.disco.server_forms) answers.server.Add(form);
  }
  for (const Feature& feature : features) {
    answers.extensions.insert(answers.extensions.end(), feature.disco_extensions.begin(),
                              feature.disco_extensions.end());
  }
  return answers;
}

Task<DiscoParts> AskExtensions(std::shared_ptr<const DiscoAnswers> answers, Addressee addressee,
                               DiscoQuestion question, Iq iq, std::string node) {
  DiscoParts said;
  for (const DiscoExtension& extension : answers->extensions) {
    const DiscoHandler& handler =
        question == DiscoQuestion::kInfo ? extension.info : extension.items;
    if (extension.addressee != addressee || !handler) continue;
    std::optional<DiscoPart> part = co_await handler(iq, node);
    if (!part) continue;
    if (auto* error = std::get_if<xmpp::StanzaError>(&*part)) {
      said.error = std::move(*error);
      co_return said;
    }
    said.parts.push_back(std::move(std::get<0>(*part)));
  }
  co_return said;
}

}  // namespace business
