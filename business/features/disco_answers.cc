#include "business/features/disco_answers.h"

#include <set>
#include <string>

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
  return {Query(server_identities, server), Query(account_identities, account)};
}

}  // namespace business
