// What subscribers are told of a node (XEP-0060 §7.1.2 and others).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "business/pubsub/node_config.h"
#include "business/store/pubsub_store.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"

namespace business {

// Something happened to a node, and who could be told: the core knows no sessions, so whoever
// called it sends this to whom it finds.
struct PubsubEvent {
  std::string node;
  NodeConfig config;
  xmpp::Element content;  // child of <event/>
  xmpp::Jid publisher;    // full JID, of published items only
  std::vector<PubsubAffiliate> affiliates;
  std::vector<PubsubSubscription> subscriptions;
  xmpp::Jid only;  // not empty: nobody else is told
};

// <items/> with the items, or with their ids alone.
xmpp::Element ItemsContent(std::string_view node, const std::vector<PubsubItem>& items,
                           bool payloads);
xmpp::Element RetractContent(std::string_view node, const std::vector<std::string>& ids);
// <item/> with id and payload in namespace `ns` (pubsub or pubsub#event).
xmpp::Element ItemElement(const PubsubItem& item, std::string_view ns, bool payload);

// Canonical `<message type='headline|normal' id='…'>` without addresses. `reply_to`: the resource
// that published (XEP-0163 §4.3.1, XEP-0033). `stamp_ms`: when the item was published, of old ones.
std::string EventMessage(const xmpp::Element& content, bool headline, std::string_view id,
                         std::string_view reply_to, std::optional<int64_t> stamp_ms);

}  // namespace business
