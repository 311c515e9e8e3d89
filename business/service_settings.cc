#include "business/service_settings.h"

#include <chrono>
#include <utility>

#include "proto/config/business.pb.h"

namespace business {
namespace {

using Config = xylem::config::Business;
using Errors = std::vector<std::string>;
using Ms = std::chrono::milliseconds;

template <typename List>
std::vector<std::string> Uris(const char* key, const List& addresses, Errors* errors) {
  std::vector<std::string> uris(addresses.begin(), addresses.end());
  for (const std::string& uri : uris) {
    if (uri.find(':') == std::string::npos) {
      errors->push_back("contacts." + std::string(key) + ": `" + uri +
                        "` is no URI (mailto:…, xmpp:…, https:…)");
    }
  }
  return uris;
}

template <typename List>
void ReadContacts(const char* kind, const List& addresses, ServiceOptions* service,
                  Errors* errors) {
  if (addresses.empty()) return;
  service->contacts.fields.emplace_back(std::string(kind) + "-addresses",
                                        Uris(kind, addresses, errors));
}

}  // namespace

void ReadService(const Config& config, ServiceOptions* service, Errors* errors) {
  const auto& contacts = config.contacts();
  ReadContacts("abuse", contacts.abuse(), service, errors);
  ReadContacts("admin", contacts.admin(), service, errors);
  ReadContacts("feedback", contacts.feedback(), service, errors);
  ReadContacts("sales", contacts.sales(), service, errors);
  ReadContacts("security", contacts.security(), service, errors);
  ReadContacts("status", contacts.status(), service, errors);
  ReadContacts("support", contacts.support(), service, errors);
  service->contacts.outage_status = Uris("outage_status", contacts.outage_status(), errors);
  for (const auto& given : config.external_services()) {
    service->external.push_back({.type = given.type(),
                                 .host = given.host(),
                                 .transport = given.transport(),
                                 .name = given.name(),
                                 .port = static_cast<uint16_t>(given.port()),
                                 .secret = given.secret(),
                                 .username = given.username(),
                                 .password = given.password()});
  }
  service->external_lifetime = Ms(config.external_lifetime());
  const auto& registration = config.registration();
  service->registration = {.open = registration.open(),
                           .change_password = registration.change_password(),
                           .remove_account = registration.remove_account(),
                           .per_address = registration.per_address(),
                           .per_address_time = Ms(registration.per_address_time())};
  const auto& invitations = config.invitations();
  service->invitations = {.by_users = invitations.by_users(),
                          .lifetime = Ms(invitations.lifetime()),
                          .per_account = invitations.per_account(),
                          .landing_page = invitations.landing_page()};
}

}  // namespace business
