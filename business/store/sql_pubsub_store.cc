#include "business/store/sql_pubsub_store.h"

#include <algorithm>
#include <utility>

#include "business/store/sql_pubsub_rows.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::Jid;
using Put = PubsubStore::Put;

namespace {

constexpr std::pair<PubsubSubscription::State, std::string_view> kStates[] = {
    {PubsubSubscription::State::kPending, "pending"},
    {PubsubSubscription::State::kUnconfigured, "unconfigured"},
    {PubsubSubscription::State::kSubscribed, "subscribed"},
};

std::string_view StateName(PubsubSubscription::State state) {
  for (const auto& [known, name] : kStates) {
    if (known == state) return name;
  }
  return "";
}

PubsubSubscription::State ParseState(std::string_view name) {
  for (const auto& [state, known] : kStates) {
    if (known == name) return state;
  }
  return PubsubSubscription::State::kPending;
}

Result<uint32_t> CountItems(SqlConnection& connection, int64_t node) {
  SqlQuery row = connection.Query("SELECT count(*) FROM pubsub_item WHERE node = ?1").Bind(1, node);
  if (!row.Step()) return connection.LastError();
  return static_cast<uint32_t>(row.Int(0));
}

Result<std::optional<PubsubItem>> FindItem(SqlConnection& connection, int64_t node,
                                           const std::string& id) {
  SqlQuery row = connection
                     .Query("SELECT " PUBSUB_ITEM_COLUMNS
                            " FROM pubsub_item i WHERE i.node = ?1 AND i.id = ?2")
                     .Bind(1, node)
                     .Bind(2, id);
  if (row.Step()) return std::optional(ReadPubsubItem(row, 0));
  if (!row.ok()) return connection.LastError();
  return std::optional<PubsubItem>();
}

Result<PubsubPage> FindItems(SqlConnection& connection, int64_t node,
                             const std::vector<std::string>& ids, PubsubPage page) {
  for (const std::string& id : ids) {
    auto item = FindItem(connection, node, id);
    if (!item) return item.error();
    if (*item) page.items.push_back(std::move(**item));
  }
  const auto by_number = [](const PubsubItem& a, const PubsubItem& b) {
    return a.number < b.number;
  };
  std::sort(page.items.begin(), page.items.end(), by_number);
  const auto same = [](const PubsubItem& a, const PubsubItem& b) { return a.number == b.number; };
  page.items.erase(std::unique(page.items.begin(), page.items.end(), same), page.items.end());
  return page;
}

Result<PubsubPage> ReadPage(SqlConnection& connection, int64_t node, const PubsubQuery& query,
                            PubsubPage page) {
  int64_t anchor = query.backward ? INT64_MAX : 0;
  if (query.anchor) {
    const auto item = FindItem(connection, node, *query.anchor);
    if (!item) return item.error();
    page.item_not_found = !*item;
    if (!*item) return page;
    anchor = (*item)->number;
  }
  if (query.max == 0) return page;
  constexpr std::string_view kForward =
      "SELECT " PUBSUB_ITEM_COLUMNS
      " FROM pubsub_item i INDEXED BY pubsub_item_by_number "
      "WHERE i.node = ?1 AND i.number > ?2 ORDER BY i.number LIMIT ?3";
  constexpr std::string_view kBackward =
      "SELECT " PUBSUB_ITEM_COLUMNS
      " FROM pubsub_item i INDEXED BY pubsub_item_by_number "
      "WHERE i.node = ?1 AND i.number < ?2 ORDER BY i.number DESC LIMIT ?3";
  SqlQuery row = connection.Query(query.backward ? kBackward : kForward)
                     .Bind(1, node)
                     .Bind(2, anchor)
                     .Bind(3, int64_t{query.max} + 1);
  while (row.Step()) page.items.push_back(ReadPubsubItem(row, 0));
  if (!row.ok()) return connection.LastError();
  page.complete = page.items.size() <= query.max;
  if (!page.complete) page.items.pop_back();
  if (query.backward) std::reverse(page.items.begin(), page.items.end());
  return page;
}

Result<PubsubPage> QueryItems(SqlConnection& connection, const Jid& owner,
                              const PubsubQuery& query) {
  PubsubPage page;
  const auto node = FindPubsubNode(connection, owner.BareView(), query.node);
  if (!node) return node.error();
  page.node_missing = !*node;
  if (!*node) return page;
  const Result<uint32_t> count = CountItems(connection, (*node)->id);
  if (!count) return count.error();
  page.count = *count;
  if (!query.ids.empty()) {
    return FindItems(connection, (*node)->id, query.ids, std::move(page));
  }
  return ReadPage(connection, (*node)->id, query, std::move(page));
}

Result<std::vector<PubsubNewest>> ReadNewest(SqlConnection& connection, const Jid& owner,
                                             const std::vector<std::string>& nodes) {
  SqlQuery row = connection
                     .Query("SELECT " PUBSUB_NODE_COLUMNS ", " PUBSUB_ITEM_COLUMNS
                            " FROM owner o JOIN pubsub_node n ON n.owner = o.id JOIN pubsub_item i "
                            "ON i.number = (SELECT max(number) FROM pubsub_item WHERE node = n.id) "
                            "WHERE o.jid = ?1 ORDER BY n.name")
                     .Bind(1, owner.BareView());
  std::vector<PubsubNewest> newest;
  while (row.Step()) {
    if (!nodes.empty() && std::find(nodes.begin(), nodes.end(), row.Text(1)) == nodes.end()) {
      continue;
    }
    newest.push_back({.node = ReadPubsubNode(row).node, .item = ReadPubsubItem(row, 6)});
  }
  if (!row.ok()) return connection.LastError();
  return newest;
}

Result<Put> SubscribeTo(SqlConnection& connection, const Jid& owner,
                        const PubsubSubscription& subscription, uint32_t max) {
  const auto node = FindPubsubNode(connection, owner.BareView(), subscription.node);
  if (!node) return node.error();
  if (!*node) return Put::kMissing;
  {
    SqlQuery row = connection
                       .Query(
                           "SELECT count(*) FROM pubsub_subscription WHERE node = ?1 "
                           "AND NOT (jid = ?2 AND subid = ?3)")
                       .Bind(1, (*node)->id)
                       .Bind(2, subscription.jid.ToString())
                       .Bind(3, subscription.subid);
    if (!row.Step()) return connection.LastError();
    if (row.Int(0) >= int64_t{max}) return Put::kFull;
  }
  if (!connection
           .Query("INSERT INTO pubsub_subscription (node, jid, subid, bare, state, options) "
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (node, jid, subid) DO UPDATE SET "
                  "state = excluded.state, options = excluded.options")
           .Bind(1, (*node)->id)
           .Bind(2, subscription.jid.ToString())
           .Bind(3, subscription.subid)
           .Bind(4, subscription.jid.BareView())
           .Bind(5, StateName(subscription.state))
           .BindBlob(6, subscription.options)
           .Run()) {
    return connection.LastError();
  }
  return Put::kDone;
}

// Columns: node name, jid, affiliation.
Result<std::vector<PubsubAffiliate>> ReadAffiliates(SqlConnection& connection, SqlQuery row) {
  std::vector<PubsubAffiliate> affiliates;
  while (row.Step()) {
    affiliates.push_back({.node = row.Text(0),
                          .jid = Jid::FromNormalized(row.Text(1)),
                          .affiliation = ParsePubsubAffiliation(row.Text(2))});
  }
  if (!row.ok()) return connection.LastError();
  return affiliates;
}

// Columns: node name, jid, subid, state, options.
Result<std::vector<PubsubSubscription>> ReadSubscriptions(SqlConnection& connection, SqlQuery row) {
  std::vector<PubsubSubscription> subscriptions;
  while (row.Step()) {
    subscriptions.push_back({.node = row.Text(0),
                             .jid = Jid::FromNormalized(row.Text(1)),
                             .subid = row.Text(2),
                             .state = ParseState(row.Text(3)),
                             .options = row.Text(4)});
  }
  if (!row.ok()) return connection.LastError();
  return subscriptions;
}

}  // namespace

// ---- nodes ----

Task<Result<Put>> SqlPubsubStore::CreateNode(Jid owner, PubsubNode node,
                                             std::vector<PubsubAffiliate> affiliates,
                                             uint32_t max_nodes) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner), node = std::move(node), affiliates = std::move(affiliates),
       max_nodes](SqlConnection& connection) {
        return CreatePubsubNode(connection, owner.BareView(), node, affiliates, max_nodes);
      });
}

Task<Result<std::optional<PubsubNode>>> SqlPubsubStore::FindNode(Jid owner, std::string node) {
  using Found = std::optional<PubsubNode>;
  return database_->Read<Found>(loop_,
                                [owner = std::move(owner), node = std::move(node)](
                                    SqlConnection& connection) -> Result<Found> {
                                  auto found = FindPubsubNode(connection, owner.BareView(), node);
                                  if (!found) return found.error();
                                  return *found ? Found(std::move((*found)->node)) : Found();
                                });
}

Task<Result<std::vector<PubsubNode>>> SqlPubsubStore::Nodes(Jid owner, std::string after,
                                                            uint32_t limit) {
  using Nodes = std::vector<PubsubNode>;
  return database_->Read<Nodes>(
      loop_,
      [owner = std::move(owner), after = std::move(after),
       limit](SqlConnection& connection) -> Result<Nodes> {
        SqlQuery row = connection
                           .Query("SELECT " PUBSUB_NODE_COLUMNS
                                  " FROM owner o JOIN pubsub_node n ON n.owner = o.id "
                                  "WHERE o.jid = ?1 AND n.name > ?2 ORDER BY n.name LIMIT ?3")
                           .Bind(1, owner.BareView())
                           .Bind(2, after)
                           .Bind(3, int64_t{limit});
        Nodes nodes;
        while (row.Step()) nodes.push_back(ReadPubsubNode(row).node);
        if (!row.ok()) return connection.LastError();
        return nodes;
      });
}

Task<Result<Put>> SqlPubsubStore::Configure(Jid owner, std::string node, std::string config,
                                            int64_t expected_version) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner), node = std::move(node), config = std::move(config),
       expected_version](SqlConnection& connection) -> Result<Put> {
        const auto found = FindPubsubNode(connection, owner.BareView(), node);
        if (!found) return found.error();
        if (!*found) return Put::kMissing;
        if (expected_version != 0 && expected_version != (*found)->node.version) {
          return Put::kConflict;
        }
        if (!connection
                 .Query("UPDATE pubsub_node SET config = ?2, version = version + 1 WHERE id = ?1")
                 .Bind(1, (*found)->id)
                 .BindBlob(2, config)
                 .Run()) {
          return connection.LastError();
        }
        return Put::kDone;
      });
}

Task<Result<Put>> SqlPubsubStore::DeleteNode(Jid owner, std::string node) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner), node = std::move(node)](SqlConnection& connection) -> Result<Put> {
        if (!connection
                 .Query(
                     "DELETE FROM pubsub_node WHERE owner = (SELECT id FROM owner WHERE jid = ?1) "
                     "AND name = ?2")
                 .Bind(1, owner.BareView())
                 .Bind(2, node)
                 .Run()) {
          return connection.LastError();
        }
        return connection.Changes() == 0 ? Put::kMissing : Put::kDone;
      });
}

// ---- items ----

Task<Result<PubsubPublished>> SqlPubsubStore::Publish(Jid owner, PubsubPublish publish) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<PubsubPublished>(
      loop_, std::move(owners),
      [owner = std::move(owner), publish = std::move(publish)](SqlConnection& connection) {
        return PublishItems(connection, owner.BareView(), publish);
      });
}

Task<Result<std::optional<std::vector<std::string>>>> SqlPubsubStore::Retract(
    Jid owner, std::string node, std::vector<std::string> ids) {
  using Retracted = std::optional<std::vector<std::string>>;
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Retracted>(
      loop_, std::move(owners),
      [owner = std::move(owner), node = std::move(node),
       ids = std::move(ids)](SqlConnection& connection) -> Result<Retracted> {
        const auto found = FindPubsubNode(connection, owner.BareView(), node);
        if (!found) return found.error();
        if (!*found) return Retracted();
        std::vector<std::string> retracted;
        for (const std::string& id : ids) {
          if (!connection.Query("DELETE FROM pubsub_item WHERE node = ?1 AND id = ?2")
                   .Bind(1, (*found)->id)
                   .Bind(2, id)
                   .Run()) {
            return connection.LastError();
          }
          if (connection.Changes() > 0) retracted.push_back(id);
        }
        return Retracted(std::move(retracted));
      });
}

Task<Result<Put>> SqlPubsubStore::Purge(Jid owner, std::string node) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner), node = std::move(node)](SqlConnection& connection) -> Result<Put> {
        const auto found = FindPubsubNode(connection, owner.BareView(), node);
        if (!found) return found.error();
        if (!*found) return Put::kMissing;
        if (!connection.Query("DELETE FROM pubsub_item WHERE node = ?1")
                 .Bind(1, (*found)->id)
                 .Run()) {
          return connection.LastError();
        }
        return Put::kDone;
      });
}

Task<Result<PubsubPage>> SqlPubsubStore::Items(Jid owner, PubsubQuery query) {
  return database_->Read<PubsubPage>(
      loop_, [owner = std::move(owner), query = std::move(query)](SqlConnection& connection) {
        return QueryItems(connection, owner, query);
      });
}

Task<Result<std::vector<PubsubNewest>>> SqlPubsubStore::Newest(Jid owner,
                                                               std::vector<std::string> nodes) {
  return database_->Read<std::vector<PubsubNewest>>(
      loop_, [owner = std::move(owner), nodes = std::move(nodes)](SqlConnection& connection) {
        return ReadNewest(connection, owner, nodes);
      });
}

// ---- who ----

Task<Result<Put>> SqlPubsubStore::SetAffiliations(Jid owner,
                                                  std::vector<PubsubAffiliate> affiliates) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(loop_, std::move(owners),
                               [owner = std::move(owner), affiliates = std::move(affiliates)](
                                   SqlConnection& connection) -> Result<Put> {
                                 std::vector<int64_t> nodes;
                                 for (const PubsubAffiliate& affiliate : affiliates) {
                                   const auto node =
                                       FindPubsubNode(connection, owner.BareView(), affiliate.node);
                                   if (!node) return node.error();
                                   if (!*node) return Put::kMissing;
                                   nodes.push_back((*node)->id);
                                 }
                                 for (size_t i = 0; i < affiliates.size(); ++i) {
                                   if (!PutPubsubAffiliate(connection, nodes[i], affiliates[i])) {
                                     return connection.LastError();
                                   }
                                 }
                                 return Put::kDone;
                               });
}

Task<Result<std::vector<PubsubAffiliate>>> SqlPubsubStore::Affiliations(Jid owner,
                                                                        std::string node) {
  return database_->Read<std::vector<PubsubAffiliate>>(
      loop_, [owner = std::move(owner), node = std::move(node)](SqlConnection& connection) {
        return ReadAffiliates(connection,
                              connection
                                  .Query("SELECT n.name, a.jid, a.affiliation FROM owner o "
                                         "JOIN pubsub_node n ON n.owner = o.id "
                                         "JOIN pubsub_affiliation a ON a.node = n.id "
                                         "WHERE o.jid = ?1 AND n.name = ?2 ORDER BY a.jid")
                                  .Bind(1, owner.BareView())
                                  .Bind(2, node));
      });
}

Task<Result<std::vector<PubsubAffiliate>>> SqlPubsubStore::AffiliationsOf(Jid owner, Jid jid) {
  return database_->Read<std::vector<PubsubAffiliate>>(
      loop_, [owner = std::move(owner), jid = std::move(jid)](SqlConnection& connection) {
        return ReadAffiliates(
            connection, connection
                            .Query("SELECT n.name, a.jid, a.affiliation FROM pubsub_affiliation a "
                                   "JOIN pubsub_node n ON n.id = a.node "
                                   "JOIN owner o ON o.id = n.owner "
                                   "WHERE a.jid = ?2 AND o.jid = ?1 ORDER BY n.name")
                            .Bind(1, owner.BareView())
                            .Bind(2, jid.BareView()));
      });
}

Task<Result<Put>> SqlPubsubStore::Subscribe(Jid owner, PubsubSubscription subscription,
                                            uint32_t max) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner), subscription = std::move(subscription), max](
          SqlConnection& connection) { return SubscribeTo(connection, owner, subscription, max); });
}

Task<Result<Put>> SqlPubsubStore::Unsubscribe(Jid owner, std::string node, Jid jid,
                                              std::string subid) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner), node = std::move(node), jid = std::move(jid),
       subid = std::move(subid)](SqlConnection& connection) -> Result<Put> {
        const auto found = FindPubsubNode(connection, owner.BareView(), node);
        if (!found) return found.error();
        if (!*found) return Put::kMissing;
        if (!connection
                 .Query(
                     "DELETE FROM pubsub_subscription WHERE node = ?1 AND jid = ?2 AND subid = ?3")
                 .Bind(1, (*found)->id)
                 .Bind(2, jid.ToString())
                 .Bind(3, subid)
                 .Run()) {
          return connection.LastError();
        }
        return connection.Changes() == 0 ? Put::kMissing : Put::kDone;
      });
}

Task<Result<std::vector<PubsubSubscription>>> SqlPubsubStore::Subscriptions(Jid owner,
                                                                            std::string node) {
  return database_->Read<std::vector<PubsubSubscription>>(
      loop_, [owner = std::move(owner), node = std::move(node)](SqlConnection& connection) {
        return ReadSubscriptions(
            connection, connection
                            .Query("SELECT n.name, s.jid, s.subid, s.state, s.options FROM owner o "
                                   "JOIN pubsub_node n ON n.owner = o.id "
                                   "JOIN pubsub_subscription s ON s.node = n.id "
                                   "WHERE o.jid = ?1 AND n.name = ?2 ORDER BY s.jid, s.subid")
                            .Bind(1, owner.BareView())
                            .Bind(2, node));
      });
}

Task<Result<std::vector<PubsubSubscription>>> SqlPubsubStore::SubscriptionsOf(Jid owner, Jid jid) {
  return database_->Read<std::vector<PubsubSubscription>>(
      loop_, [owner = std::move(owner), jid = std::move(jid)](SqlConnection& connection) {
        return ReadSubscriptions(
            connection,
            connection
                .Query("SELECT n.name, s.jid, s.subid, s.state, s.options "
                       "FROM pubsub_subscription s JOIN pubsub_node n ON n.id = s.node "
                       "JOIN owner o ON o.id = n.owner "
                       "WHERE s.bare = ?2 AND o.jid = ?1 ORDER BY n.name, s.jid, s.subid")
                .Bind(1, owner.BareView())
                .Bind(2, jid.BareView()));
      });
}

}  // namespace business
