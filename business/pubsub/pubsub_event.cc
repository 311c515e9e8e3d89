#include "business/pubsub/pubsub_event.h"

#include <utility>

#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"

namespace business {

using xmpp::Element;
namespace ns = xmpp::ns;

Element ItemElement(const PubsubItem& item, std::string_view ns, bool payload) {
  Element element("item", ns);
  element.SetAttr("id", item.id);
  if (!payload || item.payload.empty()) return element;
  if (auto parsed = Element::Parse(item.payload)) element.Add(std::move(*parsed));
  return element;
}

Element ItemsContent(std::string_view node, const std::vector<PubsubItem>& items, bool payloads) {
  Element content("items", ns::kPubsubEvent);
  content.SetAttr("node", std::string(node));
  for (const PubsubItem& item : items) {
    content.Add(ItemElement(item, ns::kPubsubEvent, payloads));
  }
  return content;
}

Element RetractContent(std::string_view node, const std::vector<std::string>& ids) {
  Element content("items", ns::kPubsubEvent);
  content.SetAttr("node", std::string(node));
  for (const std::string& id : ids) content.Add("retract", ns::kPubsubEvent).SetAttr("id", id);
  return content;
}

std::string EventMessage(const Element& content, bool headline, std::string_view id,
                         std::string_view reply_to, std::optional<int64_t> stamp_ms) {
  Element message("message", ns::kClient);
  message.SetAttr("type", headline ? "headline" : "normal");
  message.SetAttr("id", std::string(id));
  message.Add("event", ns::kPubsubEvent).Add(content);
  if (!reply_to.empty()) {
    Element& address = message.Add("addresses", ns::kAddresses).Add("address", ns::kAddresses);
    address.SetAttr("type", "replyto");
    address.SetAttr("jid", std::string(reply_to));
  }
  if (stamp_ms) {
    message.Add("delay", ns::kDelay).SetAttr("stamp", xmpp::DateTimeText(*stamp_ms));
  }
  return message.Write();
}

}  // namespace business
