// Nodes and items on an SQL engine: what the functions of SqlPubsubStore share.
#pragma once

#include <optional>
#include <string_view>

#include "business/store/pubsub_store.h"
#include "business/store/sql_connection.h"
#include "lib/runtime/result.h"

namespace business {

struct PubsubNodeRow {
  int64_t id = 0;
  PubsubNode node;
};

// Of `pubsub_node n`.
#define PUBSUB_NODE_COLUMNS "n.id, n.name, n.type, n.config, n.version, n.created"
PubsubNodeRow ReadPubsubNode(const SqlQuery& row);

// Of `pubsub_item i`; from column `first`.
#define PUBSUB_ITEM_COLUMNS "i.number, i.id, i.publisher, i.payload, i.stamp"
PubsubItem ReadPubsubItem(const SqlQuery& row, int first);

runtime::Result<std::optional<PubsubNodeRow>> FindPubsubNode(SqlConnection& connection,
                                                             std::string_view owner,
                                                             std::string_view name);

runtime::Result<PubsubStore::Put> CreatePubsubNode(SqlConnection& connection,
                                                   std::string_view owner, const PubsubNode& node,
                                                   const std::vector<PubsubAffiliate>& affiliates,
                                                   uint32_t max_nodes);

bool PutPubsubAffiliate(SqlConnection& connection, int64_t node, const PubsubAffiliate& affiliate);
PubsubAffiliation ParsePubsubAffiliation(std::string_view name);

runtime::Result<PubsubPublished> PublishItems(SqlConnection& connection, std::string_view owner,
                                              const PubsubPublish& publish);

}  // namespace business
