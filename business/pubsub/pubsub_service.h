// Publish-subscribe over a store, for whoever owns it: an account (PEP) or a service. Knows no
// sessions and sends nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "business/pubsub/node_access.h"
#include "business/pubsub/node_config.h"
#include "business/pubsub/pubsub_event.h"
#include "business/pubsub/pubsub_rules.h"
#include "business/store/pubsub_store.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/data_form.h"
#include "lib/xmpp/result_set.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

// A value or the error for who asked.
template <typename T>
using PubsubResult = std::variant<T, xmpp::StanzaError>;
template <typename T>
using PubsubTask = runtime::Task<PubsubResult<T>>;

struct PublishRequest {
  std::string node;
  std::vector<PubsubItem> items;  // ids and payloads
  std::optional<xmpp::DataForm> options;
};

struct ItemsRequest {
  std::string node;
  std::vector<std::string> ids;
  std::optional<uint32_t> newest;  // attribute max_items
  std::optional<xmpp::ResultSetQuery> page;
};

struct ItemsAnswer {
  std::vector<PubsubItem> items;  // oldest first
  std::optional<xmpp::ResultSetPage> page;
};

// A node as who asks may see it.
struct NodeView {
  PubsubNode node;
  NodeConfig config;
  PubsubAffiliation affiliation = PubsubAffiliation::kNone;
  std::vector<PubsubSubscription> subscriptions;  // his, with any resource
  bool subscribed = false;
};

using PubsubEvents = std::vector<PubsubEvent>;

// One per loop, as its store. Changes are idempotent; `repeated` says that the same request may have
// been done before, so that what is missing or there already counts as done.
class PubsubService {
 public:
  PubsubService(PubsubStore* store, PubsubRules rules) : store_(store), rules_(std::move(rules)) {}

  const PubsubRules& rules() const { return rules_; }
  PubsubStore& store() const { return *store_; }

  // ---- publishers (§7) ----
  // Makes the node if it is missing and `asker` owns the service.
  PubsubTask<PubsubEvents> Publish(xmpp::Jid owner, PubsubAsker asker, PublishRequest request) const;
  // `notify` nullopt: as the node is configured.
  PubsubTask<PubsubEvents> Retract(xmpp::Jid owner, PubsubAsker asker, std::string node,
                                   std::vector<std::string> ids, std::optional<bool> notify,
                                   bool repeated) const;

  // ---- owners (§8) ----
  PubsubTask<PubsubEvents> Create(xmpp::Jid owner, PubsubAsker asker, std::string node,
                                  std::optional<xmpp::DataForm> config, bool repeated) const;
  PubsubTask<PubsubEvents> Configure(xmpp::Jid owner, PubsubAsker asker, std::string node,
                                     xmpp::DataForm form) const;
  PubsubTask<PubsubEvents> Delete(xmpp::Jid owner, PubsubAsker asker, std::string node,
                                  bool repeated) const;
  PubsubTask<PubsubEvents> Purge(xmpp::Jid owner, PubsubAsker asker, std::string node) const;
  // Changes only; kNone removes.
  PubsubTask<PubsubEvents> SetAffiliations(xmpp::Jid owner, PubsubAsker asker, std::string node,
                                           std::vector<PubsubAffiliate> affiliates) const;
  // subscribed or none; others are refused.
  PubsubTask<PubsubEvents> SetSubscriptions(
      xmpp::Jid owner, PubsubAsker asker, std::string node,
      std::vector<std::pair<xmpp::Jid, bool>> subscriptions) const;

  // ---- subscribers (§6) ----
  PubsubTask<ItemsAnswer> Items(xmpp::Jid owner, PubsubAsker asker, ItemsRequest request) const;
  // `subscriber` is asker's address, bare or full. Events: the last item, to him.
  PubsubTask<PubsubEvents> Subscribe(xmpp::Jid owner, PubsubAsker asker, std::string node,
                                     xmpp::Jid subscriber) const;
  PubsubTask<PubsubEvents> Unsubscribe(xmpp::Jid owner, PubsubAsker asker, std::string node,
                                       xmpp::Jid subscriber, bool repeated) const;

  // ---- entities (§5) ----
  // Nodes that the asker may read, by name.
  PubsubTask<std::vector<NodeView>> VisibleNodes(xmpp::Jid owner, PubsubAsker asker) const;
  // Errors: no such node. Says nothing of access.
  PubsubTask<NodeView> Look(xmpp::Jid owner, PubsubAsker asker, std::string node) const;
  // Look, and MayRead or MayConfigure.
  PubsubTask<NodeView> LookToRead(xmpp::Jid owner, PubsubAsker asker, std::string node) const;
  PubsubTask<NodeView> LookAsOwner(xmpp::Jid owner, PubsubAsker asker, std::string node) const;
  PubsubTask<xmpp::DataForm> MetaData(xmpp::Jid owner, NodeView view) const;

 private:
  std::optional<xmpp::StanzaError> CheckItems(const NodeConfig& config,
                                              const std::vector<PubsubItem>& items) const;
  uint32_t KeptItems(const NodeConfig& config) const;
  // With the people of the node, as they are now.
  PubsubTask<PubsubEvent> EventOf(xmpp::Jid owner, std::string node, NodeConfig config,
                                  xmpp::Element content) const;
  PubsubTask<PubsubPublished::Outcome> PutItems(xmpp::Jid owner, PublishRequest request,
                                                NodeConfig config, int64_t version,
                                                bool create) const;

  PubsubStore* const store_;
  const PubsubRules rules_;
};

}  // namespace business
