// XEP-0157: Contact Addresses for XMPP Services 1.1.1. Whom to turn to, in a form of the server's
// disco#info (XEP-0128); beside it, XEP-0455: Service Outage Status 0.4.0, where to read what is
// wrong while the service is away.
#include "business/features/contact_addresses.h"

#include <utility>

#include "lib/xmpp/data_form.h"
#include "lib/xmpp/namespaces.h"

namespace business {

Feature ServiceContacts(const ContactAddresses& contacts) {
  Feature feature;
  feature.name = "contact_addresses";
  feature.specs = {{.xep = 157, .version = "1.1.1"},
                   {.xep = 128, .version = "1.0.1"},
                   {.xep = 455, .version = "0.4.0"}};
  feature.config = "contacts";
  if (!contacts.outage_status.empty()) {
    xmpp::DataForm status = xmpp::DataForm::Of("result", xmpp::ns::kOutageStatus);
    status.fields.push_back({.var = "external-status-addresses",
                             .type = "list-multi",
                             .label = {},
                             .values = contacts.outage_status});
    feature.disco.server_forms.push_back(status.Write());
  }
  if (contacts.fields.empty()) return feature;
  xmpp::DataForm form = xmpp::DataForm::Of("result", xmpp::ns::kServerInfo);
  for (const auto& [var, addresses] : contacts.fields) {
    form.fields.push_back({.var = var, .type = "list-multi", .label = {}, .values = addresses});
  }
  feature.disco.server_forms.push_back(form.Write());
  return feature;
}

}  // namespace business
