#include "business/store/sql_account_data_store.h"

#include <utility>

#include "business/store/sql_owner_store.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::Jid;
using Outcome = DataChanged::Outcome;

namespace {

// Names in the file, for ever.
std::string_view TypeName(DataType type) {
  switch (type) {
    case DataType::kPrivateXml:
      return "private-xml";
    case DataType::kVcard:
      return "vcard";
    case DataType::kBlockList:
      return "block-list";
    case DataType::kPush:
      return "push";
    case DataType::kLastActivity:
      return "last-activity";
    case DataType::kInvitations:
      return "invitations";
    case DataType::kTokens:
      return "tokens";
  }
  return "";
}

// One collection inside a transaction.
class Collection {
 public:
  Collection(SqlConnection& connection, int64_t owner, std::string_view type)
      : connection_(connection), owner_(owner), type_(type) {}

  Result<int64_t> Version() {
    SqlQuery row =
        connection_.Query("SELECT version FROM collection WHERE owner = ?1 AND type = ?2")
            .Bind(1, owner_)
            .Bind(2, type_);
    if (row.Step()) return row.Int(0);
    if (!row.ok()) return connection_.LastError();
    return int64_t{0};
  }

  Result<int64_t> RaiseVersion() {
    SqlQuery row =
        connection_
            .Query(
                "INSERT INTO collection (owner, type, version) VALUES (?1, ?2, 1) "
                "ON CONFLICT (owner, type) DO UPDATE SET version = collection.version + 1 "
                "RETURNING version")
            .Bind(1, owner_)
            .Bind(2, type_);
    if (!row.Step()) return connection_.LastError();
    return row.Int(0);
  }

  Result<std::vector<DataEntry>> Entries() {
    SqlQuery row = connection_
                       .Query(
                           "SELECT key, value FROM collection_entry "
                           "WHERE owner = ?1 AND type = ?2 ORDER BY key")
                       .Bind(1, owner_)
                       .Bind(2, type_);
    std::vector<DataEntry> entries;
    while (row.Step()) entries.push_back({.key = row.Text(0), .value = row.Text(1)});
    if (!row.ok()) return connection_.LastError();
    return entries;
  }

  bool Clear() {
    return connection_.Query("DELETE FROM collection_entry WHERE owner = ?1 AND type = ?2")
        .Bind(1, owner_)
        .Bind(2, type_)
        .Run();
  }
  bool Remove(const std::string& key) {
    return connection_
        .Query("DELETE FROM collection_entry WHERE owner = ?1 AND type = ?2 AND key = ?3")
        .Bind(1, owner_)
        .Bind(2, type_)
        .Bind(3, key)
        .Run();
  }
  // Touches nothing that is so already.
  bool Put(const DataEntry& entry) {
    return connection_
        .Query(
            "INSERT INTO collection_entry (owner, type, key, value) VALUES (?1, ?2, ?3, ?4) "
            "ON CONFLICT (owner, type, key) DO UPDATE SET value = excluded.value "
            "WHERE collection_entry.value <> excluded.value")
        .Bind(1, owner_)
        .Bind(2, type_)
        .Bind(3, entry.key)
        .BindBlob(4, entry.value)
        .Run();
  }

  struct Size {
    int64_t entries = 0, bytes = 0;
  };
  Result<Size> Measure() {
    SqlQuery row = connection_
                       .Query(
                           "SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + "
                           "length(value)), 0) FROM collection_entry "
                           "WHERE owner = ?1 AND type = ?2",
                           "SELECT count(*), coalesce(sum(octet_length(key) + "
                           "octet_length(value)), 0) FROM collection_entry "
                           "WHERE owner = ?1 AND type = ?2")
                       .Bind(1, owner_)
                       .Bind(2, type_);
    if (!row.Step()) return connection_.LastError();
    return Size{row.Int(0), row.Int(1)};
  }

 private:
  SqlConnection& connection_;
  const int64_t owner_;
  const std::string_view type_;
};

// Removes and puts; counts in `changed`.
Result<void> Apply(SqlConnection& connection, Collection& collection, const DataChange& change,
                   DataChanged& changed) {
  const auto note_removed = [&] {
    changed.removed += static_cast<uint32_t>(connection.Changes());
    changed.changed = changed.changed || connection.Changes() > 0;
  };
  if (change.clear) {
    if (!collection.Clear()) return connection.LastError();
    note_removed();
  }
  for (const std::string& key : change.remove) {
    if (!collection.Remove(key)) return connection.LastError();
    note_removed();
  }
  for (const DataEntry& entry : change.put) {
    if (!collection.Put(entry)) return connection.LastError();
    changed.changed = changed.changed || connection.Changes() > 0;
  }
  return {};
}

Result<DataChanged> ChangeCollection(SqlConnection& connection, const Jid& jid, DataType type,
                                     const DataChange& change) {
  const auto owner = FindOwner(connection, jid.BareView());
  if (!owner) return owner.error();
  if (!*owner) return DataChanged{.outcome = Outcome::kNoOwner};
  Collection collection(connection, **owner, TypeName(type));
  const Result<int64_t> version = collection.Version();
  if (!version) return version.error();
  DataChanged changed{.version = *version};
  if (change.expected_version && *change.expected_version != *version) {
    changed.outcome = Outcome::kConflict;
    return changed;
  }
  const Result<Collection::Size> before = collection.Measure();
  if (!before) return before.error();
  // What does not fit is only known afterwards: it is undone within the operation.
  if (!connection.Query("SAVEPOINT change").Run()) return connection.LastError();
  const Result<void> applied = Apply(connection, collection, change, changed);
  if (!applied) return applied.error();
  const Result<Collection::Size> after = collection.Measure();
  if (!after) return after.error();
  const auto exceeds = [](int64_t now, int64_t was, uint64_t limit) {
    return now > was && static_cast<uint64_t>(now) > limit;
  };
  if (exceeds(after->entries, before->entries, change.max_entries) ||
      exceeds(after->bytes, before->bytes, change.max_bytes)) {
    if (!connection.Query("ROLLBACK TO change").Run() ||
        !connection.Query("RELEASE change").Run()) {
      return connection.LastError();
    }
    return DataChanged{.outcome = Outcome::kFull, .version = *version};
  }
  if (!connection.Query("RELEASE change").Run()) return connection.LastError();
  if (changed.changed) {
    const Result<int64_t> raised = collection.RaiseVersion();
    if (!raised) return raised.error();
    changed.version = *raised;
  }
  return changed;
}

}  // namespace

Task<Result<std::optional<std::string>>> SqlAccountDataStore::Find(Jid owner, DataType type,
                                                                   std::string key) {
  using Found = std::optional<std::string>;
  return database_->Read<Found>(loop_,
                                [owner = std::move(owner), type,
                                 key = std::move(key)](SqlConnection& connection) -> Result<Found> {
                                  SqlQuery row =
                                      connection
                                          .Query(
                                              "SELECT e.value FROM owner o JOIN collection_entry e "
                                              "ON e.owner = o.id WHERE o.jid = ?1 AND e.type = ?2 "
                                              "AND e.key = ?3")
                                          .Bind(1, owner.BareView())
                                          .Bind(2, TypeName(type))
                                          .Bind(3, key);
                                  if (row.Step()) return Found(row.Text(0));
                                  if (!row.ok()) return connection.LastError();
                                  return Found();
                                });
}

Task<Result<DataCollection>> SqlAccountDataStore::List(Jid owner, DataType type) {
  return database_->Read<DataCollection>(
      loop_, [owner = std::move(owner), type](SqlConnection& connection) -> Result<DataCollection> {
        const auto id = FindOwner(connection, owner.BareView());
        if (!id) return id.error();
        if (!*id) return DataCollection{};
        Collection collection(connection, **id, TypeName(type));
        const Result<int64_t> version = collection.Version();
        if (!version) return version.error();
        Result<std::vector<DataEntry>> entries = collection.Entries();
        if (!entries) return entries.error();
        return DataCollection{.version = *version, .entries = std::move(*entries)};
      });
}

Task<Result<DataChanged>> SqlAccountDataStore::Change(Jid owner, DataType type, DataChange change) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<DataChanged>(
      loop_, std::move(owners),
      [owner = std::move(owner), type, change = std::move(change)](SqlConnection& connection) {
        return ChangeCollection(connection, owner, type, change);
      });
}

}  // namespace business
