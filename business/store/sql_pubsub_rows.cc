#include "business/store/sql_pubsub_rows.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "business/store/sql_owner_store.h"

namespace business {

using runtime::Result;
using xmpp::Jid;
using Put = PubsubStore::Put;
using Outcome = PubsubPublished::Outcome;

namespace {

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

constexpr std::pair<PubsubAffiliation, std::string_view> kAffiliations[] = {
    {PubsubAffiliation::kOutcast, "outcast"},
    {PubsubAffiliation::kMember, "member"},
    {PubsubAffiliation::kPublishOnly, "publish-only"},
    {PubsubAffiliation::kPublisher, "publisher"},
    {PubsubAffiliation::kOwner, "owner"},
};

Result<bool> StandsSo(SqlConnection& connection, int64_t node, const PubsubItem& item) {
  SqlQuery row = connection
                     .Query(
                         "SELECT 1 FROM pubsub_item WHERE node = ?1 AND id = ?2 AND "
                         "publisher = ?3 AND payload = ?4")
                     .Bind(1, node)
                     .Bind(2, item.id)
                     .Bind(3, item.publisher.ToString())
                     .BindBlob(4, item.payload);
  const bool stands = row.Step();
  if (!row.ok()) return connection.LastError();
  return stands;
}

// Behind all others: one that is published anew is the newest again (§7.1.2).
bool PutItem(SqlConnection& connection, int64_t node, const PubsubItem& item) {
  return connection.Query("DELETE FROM pubsub_item WHERE node = ?1 AND id = ?2")
             .Bind(1, node)
             .Bind(2, item.id)
             .Run() &&
         connection
             .Query(
                 "INSERT INTO pubsub_item (node, id, publisher, stamp, payload) "
                 "VALUES (?1, ?2, ?3, ?4, ?5)")
             .Bind(1, node)
             .Bind(2, item.id)
             .Bind(3, item.publisher.ToString())
             .Bind(4, item.stamp_ms != 0 ? item.stamp_ms : NowMs())
             .BindBlob(5, item.payload)
             .Run();
}

Result<std::vector<std::string>> Trim(SqlConnection& connection, int64_t node, uint32_t max_items) {
  int64_t last = 0;
  {
    SqlQuery row = connection
                       .Query(
                           "SELECT number FROM pubsub_item WHERE node = ?1 "
                           "ORDER BY number DESC LIMIT 1 OFFSET ?2")
                       .Bind(1, node)
                       .Bind(2, int64_t{std::max(max_items, 1u)});
    if (!row.Step()) {
      if (!row.ok()) return connection.LastError();
      return std::vector<std::string>();
    }
    last = row.Int(0);
  }
  std::vector<std::string> ids;
  {
    SqlQuery row =
        connection
            .Query("SELECT id FROM pubsub_item WHERE node = ?1 AND number <= ?2 ORDER BY number")
            .Bind(1, node)
            .Bind(2, last);
    while (row.Step()) ids.push_back(row.Text(0));
    if (!row.ok()) return connection.LastError();
  }
  if (!connection.Query("DELETE FROM pubsub_item WHERE node = ?1 AND number <= ?2")
           .Bind(1, node)
           .Bind(2, last)
           .Run()) {
    return connection.LastError();
  }
  return ids;
}

Result<bool> AllStandSo(SqlConnection& connection, int64_t node,
                        const std::vector<PubsubItem>& items) {
  for (const PubsubItem& item : items) {
    const Result<bool> stands = StandsSo(connection, node, item);
    if (!stands || !*stands) return stands;
  }
  return true;
}

Outcome OutcomeOf(Put put) {
  switch (put) {
    case Put::kFull:
      return Outcome::kFull;
    case Put::kNoOwner:
      return Outcome::kNoOwner;
    default:
      return Outcome::kDone;
  }
}

}  // namespace

PubsubNodeRow ReadPubsubNode(const SqlQuery& row) {
  return {.id = row.Int(0),
          .node = {.name = row.Text(1),
                   .type = row.Text(2),
                   .config = row.Text(3),
                   .version = row.Int(4),
                   .created_ms = row.Int(5)}};
}

PubsubItem ReadPubsubItem(const SqlQuery& row, int first) {
  return {.id = row.Text(first + 1),
          .publisher = Jid::FromNormalized(row.Text(first + 2)),
          .payload = row.Text(first + 3),
          .stamp_ms = row.Int(first + 4),
          .number = row.Int(first)};
}

Result<std::optional<PubsubNodeRow>> FindPubsubNode(SqlConnection& connection,
                                                    std::string_view owner, std::string_view name) {
  SqlQuery row = connection
                     .Query("SELECT " PUBSUB_NODE_COLUMNS
                            " FROM owner o JOIN pubsub_node n ON n.owner = o.id "
                            "WHERE o.jid = ?1 AND n.name = ?2")
                     .Bind(1, owner)
                     .Bind(2, name);
  if (row.Step()) return std::optional(ReadPubsubNode(row));
  if (!row.ok()) return connection.LastError();
  return std::optional<PubsubNodeRow>();
}

Result<Put> CreatePubsubNode(SqlConnection& connection, std::string_view owner,
                             const PubsubNode& node, const std::vector<PubsubAffiliate>& affiliates,
                             uint32_t max_nodes) {
  const auto id = FindOwner(connection, owner);
  if (!id) return id.error();
  if (!*id) return Put::kNoOwner;
  auto found = FindPubsubNode(connection, owner, node.name);
  if (!found) return found.error();
  if (*found) return Put::kExists;
  {
    SqlQuery row =
        connection.Query("SELECT count(*) FROM pubsub_node WHERE owner = ?1").Bind(1, **id);
    if (!row.Step()) return connection.LastError();
    if (row.Int(0) >= int64_t{max_nodes}) return Put::kFull;
  }
  int64_t number = 0;
  {
    SqlQuery row = connection
                       .Query(
                           "INSERT INTO pubsub_node (owner, name, type, config, version, "
                           "created) VALUES (?1, ?2, ?3, ?4, 1, ?5) RETURNING id")
                       .Bind(1, **id)
                       .Bind(2, node.name)
                       .Bind(3, node.type)
                       .BindBlob(4, node.config)
                       .Bind(5, node.created_ms != 0 ? node.created_ms : NowMs());
    if (!row.Step()) return connection.LastError();
    number = row.Int(0);
  }
  for (const PubsubAffiliate& affiliate : affiliates) {
    if (!PutPubsubAffiliate(connection, number, affiliate)) return connection.LastError();
  }
  return Put::kDone;
}

bool PutPubsubAffiliate(SqlConnection& connection, int64_t node, const PubsubAffiliate& affiliate) {
  const auto known =
      std::find_if(std::begin(kAffiliations), std::end(kAffiliations),
                   [&](const auto& one) { return one.first == affiliate.affiliation; });
  if (known == std::end(kAffiliations)) {
    return connection.Query("DELETE FROM pubsub_affiliation WHERE node = ?1 AND jid = ?2")
        .Bind(1, node)
        .Bind(2, affiliate.jid.BareView())
        .Run();
  }
  return connection
      .Query(
          "INSERT INTO pubsub_affiliation (node, jid, affiliation) VALUES (?1, ?2, ?3) "
          "ON CONFLICT (node, jid) DO UPDATE SET affiliation = excluded.affiliation")
      .Bind(1, node)
      .Bind(2, affiliate.jid.BareView())
      .Bind(3, known->second)
      .Run();
}

// One that a later release knows counts as none: it grants nothing.
PubsubAffiliation ParsePubsubAffiliation(std::string_view name) {
  for (const auto& [affiliation, text] : kAffiliations) {
    if (text == name) return affiliation;
  }
  return PubsubAffiliation::kNone;
}

Result<PubsubPublished> PublishItems(SqlConnection& connection, std::string_view owner,
                                     const PubsubPublish& publish) {
  PubsubPublished published;
  auto node = FindPubsubNode(connection, owner, publish.node);
  if (!node) return node.error();
  if (!*node && publish.create) {
    PubsubNode wanted = *publish.create;
    wanted.name = publish.node;
    const Result<Put> created =
        CreatePubsubNode(connection, owner, wanted, publish.create_affiliates, publish.max_nodes);
    if (!created) return created.error();
    published.outcome = OutcomeOf(*created);
    if (published.outcome != Outcome::kDone) return published;
    published.created = true;
    node = FindPubsubNode(connection, owner, publish.node);
    if (!node) return node.error();
  } else if (*node && publish.expected_version &&
             *publish.expected_version != (*node)->node.version) {
    published.outcome = Outcome::kConflict;
    return published;
  }
  if (!*node) {
    published.outcome = Outcome::kNoNode;
    return published;
  }
  const int64_t id = (*node)->id;
  const Result<bool> repeated = AllStandSo(connection, id, publish.items);
  if (!repeated) return repeated.error();
  if (*repeated && !published.created) {
    published.outcome = Outcome::kRepeated;
    return published;
  }
  for (const PubsubItem& item : publish.items) {
    if (!PutItem(connection, id, item)) return connection.LastError();
  }
  Result<std::vector<std::string>> evicted = Trim(connection, id, publish.max_items);
  if (!evicted) return evicted.error();
  published.evicted = std::move(*evicted);
  return published;
}

}  // namespace business
