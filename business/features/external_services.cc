// XEP-0215: External Service Discovery 1.0. Names STUN and TURN servers, with credentials that hold
// for a while.
#include "business/features/external_services.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "business/session/shard.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/sasl/base64.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;
using xmpp::StanzaError;

struct Services {
  Shard* shard;
  std::vector<ExternalService> all;
  std::chrono::milliseconds lifetime;
};
using ServicesPtr = std::shared_ptr<const Services>;

// The name a TURN server sees and logs: the same for an account, and not its address, which would
// go over the network in the clear.
std::string UserOf(Shard* shard, const Iq& iq) {
  const std::string account(iq.from.BareView());
  return cluster::ClusterIdText(shard->ids->Make("turn", 0, account, {}));
}

Element Describe(const Services& services, const ExternalService& service, const Iq& iq) {
  Element element("service", ns::kExternalServices);
  element.SetAttr("type", service.type);
  element.SetAttr("host", service.host);
  if (service.port != 0) element.SetAttr("port", std::to_string(service.port));
  if (!service.transport.empty()) element.SetAttr("transport", service.transport);
  if (!service.name.empty()) element.SetAttr("name", service.name);
  if (!service.secret.empty()) {
    const int64_t expires =
        std::chrono::duration_cast<std::chrono::seconds>(
            std::chrono::system_clock::now().time_since_epoch() + services.lifetime)
            .count();
    TurnCredentials made = MakeTurnCredentials(service.secret, UserOf(services.shard, iq), expires);
    element.SetAttr("restricted", "1");
    element.SetAttr("username", std::move(made.username));
    element.SetAttr("password", std::move(made.password));
    element.SetAttr("expires", xmpp::DateTimeText(expires * 1000));
  } else if (!service.username.empty()) {
    element.SetAttr("restricted", "1");
    element.SetAttr("username", service.username);
    element.SetAttr("password", service.password);
  }
  return element;
}

// §3.1, §3.2.
Task<IqReply> List(ServicesPtr services, Iq iq) {
  const std::string type(iq.Payload().Attr("type"));
  Element answer("services", ns::kExternalServices);
  if (!type.empty()) answer.SetAttr("type", type);
  for (const ExternalService& service : services->all) {
    if (type.empty() || service.type == type) answer.Add(Describe(*services, service, iq));
  }
  co_return IqReply::Result(std::move(answer));
}

// §3.3.
Task<IqReply> Credentials(ServicesPtr services, Iq iq) {
  const Element query = iq.Payload();
  const Element* asked = query.Find("service", ns::kExternalServices);
  if (asked == nullptr || asked->Attr("host").empty() || asked->Attr("type").empty()) {
    co_return StanzaError::BadRequest();
  }
  Element answer("credentials", ns::kExternalServices);
  for (const ExternalService& service : services->all) {
    const bool port =
        asked->Attr("port").empty() || asked->Attr("port") == std::to_string(service.port);
    const bool secured = !service.secret.empty() || !service.username.empty();
    if (service.host != asked->Attr("host") || service.type != asked->Attr("type") || !port ||
        !secured) {
      continue;
    }
    answer.Add(Describe(*services, service, iq));
  }
  if (answer.FirstChild() == nullptr) co_return StanzaError::ItemNotFound();
  co_return IqReply::Result(std::move(answer));
}

}  // namespace

TurnCredentials MakeTurnCredentials(std::string_view secret, std::string_view user,
                                    int64_t expires) {
  TurnCredentials made;
  made.username = std::to_string(expires) + ":" + std::string(user);
  made.password =
      xmpp::sasl::EncodeBase64(xmpp::sasl::Hmac(xmpp::sasl::Hash::kSha1, secret, made.username));
  return made;
}

Feature ExternalServices(Shard* shard, const ServiceOptions& options) {
  Feature feature;
  feature.name = "external_services";
  feature.specs = {{.xep = 215, .version = "1.0.0"}};
  feature.config = "external_services";
  if (options.external.empty()) return feature;
  const auto services = std::make_shared<const Services>(
      Services{shard, options.external, options.external_lifetime});
  feature.disco.server = {ns::kExternalServices};
  for (Addressee addressee : {Addressee::kServer, Addressee::kOwnAccount}) {
    feature.iqs.push_back({IqType::kGet, ns::kExternalServices, "services", addressee,
                           [services](Iq iq) { return List(services, std::move(iq)); }});
    feature.iqs.push_back({IqType::kGet, ns::kExternalServices, "credentials", addressee,
                           [services](Iq iq) { return Credentials(services, std::move(iq)); }});
  }
  return feature;
}

}  // namespace business
