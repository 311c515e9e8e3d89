// XEP-0157: Contact Addresses for XMPP Services 1.1.1. Whom to turn to, in a form of the server's
// disco#info (XEP-0128).
#include "business/features/contact_addresses.h"

#include <utility>

#include "lib/xmpp/data_form.h"
#include "lib/xmpp/namespaces.h"

namespace business {

Feature ServiceContacts(const ContactAddresses& contacts) {
  Feature feature;
  feature.name = "contact_addresses";
  feature.specs = {{.xep = 157, .version = "1.1.1"}, {.xep = 128, .version = "1.0.1"}};
  feature.config = "contacts";
  if (contacts.fields.empty()) return feature;
  xmpp::DataForm form = xmpp::DataForm::Of("result", xmpp::ns::kServerInfo);
  for (const auto& [var, addresses] : contacts.fields) {
    form.fields.push_back({.var = var, .type = "list-multi", .label = {}, .values = addresses});
  }
  feature.disco.server_forms.push_back(form.Write());
  return feature;
}

}  // namespace business
