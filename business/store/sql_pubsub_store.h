// PubsubStore on an SQL engine.
#pragma once

#include "business/store/pubsub_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlPubsubStore : public PubsubStore {
 public:
  SqlPubsubStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<Put>> CreateNode(xmpp::Jid owner, PubsubNode node,
                                                 std::vector<PubsubAffiliate> affiliates,
                                                 uint32_t max_nodes) override;
  runtime::Task<runtime::Result<std::optional<PubsubNode>>> FindNode(xmpp::Jid owner,
                                                                     std::string node) override;
  runtime::Task<runtime::Result<std::vector<PubsubNode>>> Nodes(xmpp::Jid owner, std::string after,
                                                                uint32_t limit) override;
  runtime::Task<runtime::Result<Put>> Configure(xmpp::Jid owner, std::string node,
                                                std::string config,
                                                int64_t expected_version) override;
  runtime::Task<runtime::Result<Put>> DeleteNode(xmpp::Jid owner, std::string node) override;

  runtime::Task<runtime::Result<PubsubPublished>> Publish(xmpp::Jid owner,
                                                          PubsubPublish publish) override;
  runtime::Task<runtime::Result<std::optional<std::vector<std::string>>>> Retract(
      xmpp::Jid owner, std::string node, std::vector<std::string> ids) override;
  runtime::Task<runtime::Result<Put>> Purge(xmpp::Jid owner, std::string node) override;
  runtime::Task<runtime::Result<PubsubPage>> Items(xmpp::Jid owner, PubsubQuery query) override;
  runtime::Task<runtime::Result<std::vector<PubsubNewest>>> Newest(
      xmpp::Jid owner, std::vector<std::string> nodes) override;

  runtime::Task<runtime::Result<Put>> SetAffiliations(
      xmpp::Jid owner, std::vector<PubsubAffiliate> affiliates) override;
  runtime::Task<runtime::Result<std::vector<PubsubAffiliate>>> Affiliations(
      xmpp::Jid owner, std::string node) override;
  runtime::Task<runtime::Result<std::vector<PubsubAffiliate>>> AffiliationsOf(
      xmpp::Jid owner, xmpp::Jid jid) override;
  runtime::Task<runtime::Result<Put>> Subscribe(xmpp::Jid owner, PubsubSubscription subscription,
                                                uint32_t max) override;
  runtime::Task<runtime::Result<Put>> Unsubscribe(xmpp::Jid owner, std::string node, xmpp::Jid jid,
                                                  std::string subid) override;
  runtime::Task<runtime::Result<std::vector<PubsubSubscription>>> Subscriptions(
      xmpp::Jid owner, std::string node) override;
  runtime::Task<runtime::Result<std::vector<PubsubSubscription>>> SubscriptionsOf(
      xmpp::Jid owner, xmpp::Jid jid) override;

 private:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
