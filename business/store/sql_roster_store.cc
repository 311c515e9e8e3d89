#include "business/store/sql_roster_store.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>

#include "business/store/sql_owner_store.h"
#include "business/store/text_list.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::BareJid;
using xmpp::Jid;
using Outcome = RosterUpdate::Outcome;

namespace {

constexpr int64_t kTombstones = 100;  // per roster: how many removals roster versioning remembers
constexpr int64_t kTransitions = 8;   // per contact: how many repeats are recognised

// Five columns from `first`: name, subscription, ask, approved, group_names.
RosterItem ReadItem(const SqlQuery& row, int first) {
  RosterItem item;
  item.name = row.Text(first);
  item.subscription = static_cast<Subscription>(row.Int(first + 1) & 3);
  item.ask = row.Int(first + 2) != 0;
  item.approved = row.Int(first + 3) != 0;
  item.groups = SplitTexts(row.Text(first + 4));
  return item;
}

SqlQuery BindItem(SqlQuery query, int first, const RosterItem& item) {
  return std::move(query)
      .Bind(first, item.name)
      .Bind(first + 1, static_cast<int64_t>(item.subscription))
      .Bind(first + 2, int64_t{item.ask})
      .Bind(first + 3, int64_t{item.approved})
      .Bind(first + 4, JoinTexts(item.groups));
}

Result<RosterEntry> ReadEntry(SqlConnection& connection, int64_t owner, const Jid& contact) {
  RosterEntry entry{.contact = contact};
  {
    SqlQuery row = connection
                       .Query(
                           "SELECT name, subscription, ask, approved, group_names "
                           "FROM roster_item WHERE owner = ?1 AND contact = ?2 AND removed = 0")
                       .Bind(1, owner)
                       .Bind(2, contact.ToString());
    if (row.Step()) entry.item = ReadItem(row, 0);
    if (!row.ok()) return connection.LastError();
  }
  SqlQuery row =
      connection.Query("SELECT stanza, stamp FROM roster_request WHERE owner = ?1 AND contact = ?2")
          .Bind(1, owner)
          .Bind(2, contact.ToString());
  if (row.Step()) entry.request = SubscriptionRequest{.stanza = row.Text(0), .stamp = row.Int(1)};
  if (!row.ok()) return connection.LastError();
  return entry;
}

struct Versions {
  int64_t newest = 0, oldest = 0;
};

Result<Versions> ReadVersions(SqlConnection& connection, int64_t owner) {
  SqlQuery row =
      connection.Query("SELECT version, oldest FROM roster WHERE owner = ?1").Bind(1, owner);
  if (row.Step()) return Versions{row.Int(0), row.Int(1)};
  if (!row.ok()) return connection.LastError();
  return Versions{};
}

// The first version is the time in seconds: a client may still have one of an account of this name
// that was removed.
Result<int64_t> RaiseVersion(SqlConnection& connection, int64_t owner) {
  SqlQuery row = connection
                     .Query(
                         "INSERT INTO roster (owner, version, oldest) VALUES (?1, ?2, ?2) "
                         "ON CONFLICT (owner) DO UPDATE SET version = roster.version + 1 "
                         "RETURNING version")
                     .Bind(1, owner)
                     .Bind(2, static_cast<int64_t>(std::time(nullptr)));
  if (!row.Step()) return connection.LastError();
  return row.Int(0);
}

bool PutItem(SqlConnection& connection, int64_t owner, const std::string& contact, int64_t version,
             const RosterItem& item) {
  return BindItem(
             connection
                 .Query("INSERT INTO roster_item (owner, contact, version, removed, name, "
                        "subscription, ask, approved, group_names) "
                        "VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8) "
                        "ON CONFLICT (owner, contact) DO UPDATE SET version = excluded.version, "
                        "removed = 0, name = excluded.name, "
                        "subscription = excluded.subscription, ask = excluded.ask, "
                        "approved = excluded.approved, group_names = excluded.group_names")
                 .Bind(1, owner)
                 .Bind(2, contact)
                 .Bind(3, version),
             4, item)
      .Run();
}

// Leaves a tombstone; of too many the oldest go, and with them what is known of older versions.
bool RemoveItem(SqlConnection& connection, int64_t owner, const std::string& contact,
                int64_t version) {
  if (!connection
           .Query("UPDATE roster_item SET version = ?3, removed = 1, name = '', subscription = 0, "
                  "ask = 0, approved = 0, group_names = '' WHERE owner = ?1 AND contact = ?2")
           .Bind(1, owner)
           .Bind(2, contact)
           .Bind(3, version)
           .Run()) {
    return false;
  }
  int64_t forgotten = 0;
  {
    SqlQuery row = connection
                       .Query(
                           "SELECT version FROM roster_item WHERE owner = ?1 AND removed = 1 "
                           "ORDER BY version DESC LIMIT 1 OFFSET ?2")
                       .Bind(1, owner)
                       .Bind(2, kTombstones);
    if (!row.Step()) return row.ok();
    forgotten = row.Int(0);
  }
  return connection
             .Query("DELETE FROM roster_item WHERE owner = ?1 AND removed = 1 AND version <= ?2")
             .Bind(1, owner)
             .Bind(2, forgotten)
             .Run() &&
         connection.Query("UPDATE roster SET oldest = ?2 WHERE owner = ?1 AND oldest < ?2")
             .Bind(1, owner)
             .Bind(2, forgotten)
             .Run();
}

bool WriteRequest(SqlConnection& connection, int64_t owner, const std::string& contact,
                  const std::optional<SubscriptionRequest>& request) {
  if (!request) {
    return connection.Query("DELETE FROM roster_request WHERE owner = ?1 AND contact = ?2")
        .Bind(1, owner)
        .Bind(2, contact)
        .Run();
  }
  return connection
      .Query(
          "INSERT INTO roster_request (owner, contact, stamp, stanza) VALUES (?1, ?2, ?3, ?4) "
          "ON CONFLICT (owner, contact) DO UPDATE SET stamp = excluded.stamp, "
          "stanza = excluded.stanza")
      .Bind(1, owner)
      .Bind(2, contact)
      .Bind(3, request->stamp)
      .BindBlob(4, request->stanza)
      .Run();
}

Result<bool> HasRoom(SqlConnection& connection, std::string_view count_sql, int64_t owner,
                     uint32_t limit) {
  SqlQuery row = connection.Query(count_sql).Bind(1, owner);
  if (!row.Step()) return connection.LastError();
  return row.Int(0) < int64_t{limit};
}

Result<bool> Fits(SqlConnection& connection, int64_t owner, const RosterUpdate& update,
                  const RosterUpdateOptions& options) {
  Result<bool> fits = true;
  if (!update.before.item && update.after.item) {
    fits = HasRoom(connection, "SELECT count(*) FROM roster_item WHERE owner = ?1 AND removed = 0",
                   owner, options.max_items);
  }
  if (fits && *fits && !update.before.request && update.after.request) {
    fits = HasRoom(connection, "SELECT count(*) FROM roster_request WHERE owner = ?1", owner,
                   options.max_requests);
  }
  return fits;
}

// The same cause again: what it found then, from which the same follows again.
Result<std::optional<RosterUpdate>> FindRepeated(SqlConnection& connection, int64_t owner,
                                                 const Jid& contact, const std::string& cause) {
  if (cause.empty()) return std::optional<RosterUpdate>();
  SqlQuery row =
      connection
          .Query(
              "SELECT version, existed, stamp, stanza, name, subscription, ask, approved, "
              "group_names FROM roster_transition WHERE owner = ?1 AND contact = ?2 AND cause = ?3")
          .Bind(1, owner)
          .Bind(2, contact.ToString())
          .BindBlob(3, cause);
  if (!row.Step()) {
    if (!row.ok()) return connection.LastError();
    return std::optional<RosterUpdate>();
  }
  RosterUpdate update{.outcome = Outcome::kRepeated, .version = row.Int(0)};
  update.before.contact = contact;
  if (row.Int(1) != 0) update.before.item = ReadItem(row, 4);
  if (!row.IsNull(3)) {
    update.before.request = SubscriptionRequest{.stanza = row.Text(3), .stamp = row.Int(2)};
  }
  return std::optional(std::move(update));
}

bool RememberTransition(SqlConnection& connection, int64_t owner, const std::string& cause,
                        const RosterUpdate& update) {
  const RosterEntry& before = update.before;
  const std::string& contact = before.contact.ToString();
  SqlQuery insert =
      BindItem(connection
                   .Query("INSERT INTO roster_transition (owner, contact, cause, version, existed, "
                          "stamp, stanza, name, subscription, ask, approved, group_names) "
                          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
                   .Bind(1, owner)
                   .Bind(2, contact)
                   .BindBlob(3, cause)
                   .Bind(4, update.version)
                   .Bind(5, int64_t{before.item.has_value()})
                   .Bind(6, before.request ? before.request->stamp : 0),
               8, before.item.value_or(RosterItem{}));
  const bool inserted =
      before.request ? std::move(insert).BindBlob(7, before.request->stanza).Run() : insert.Run();
  if (!inserted) return false;
  return connection
      .Query(
          "DELETE FROM roster_transition WHERE owner = ?1 AND contact = ?2 AND id <= "
          "(SELECT id FROM roster_transition WHERE owner = ?1 AND contact = ?2 "
          "ORDER BY id DESC LIMIT 1 OFFSET ?3)")
      .Bind(1, owner)
      .Bind(2, contact)
      .Bind(3, kTransitions)
      .Run();
}

// Writes what differs.
Result<RosterUpdate> Apply(SqlConnection& connection, int64_t owner, RosterUpdate update,
                           const RosterUpdateOptions& options) {
  const Result<bool> fits = Fits(connection, owner, update, options);
  if (!fits) return fits.error();
  if (!*fits) {
    update.outcome = Outcome::kFull;
    update.after = update.before;
    return update;
  }
  const std::string& contact = update.before.contact.ToString();
  if (update.before.item != update.after.item) {
    const Result<int64_t> version = RaiseVersion(connection, owner);
    if (!version) return version.error();
    update.version = *version;
    const bool written =
        update.after.item ? PutItem(connection, owner, contact, update.version, *update.after.item)
                          : RemoveItem(connection, owner, contact, update.version);
    if (!written) return connection.LastError();
  }
  if (update.before.request != update.after.request &&
      !WriteRequest(connection, owner, contact, update.after.request)) {
    return connection.LastError();
  }
  if (!options.cause.empty() && !RememberTransition(connection, owner, options.cause, update)) {
    return connection.LastError();
  }
  update.outcome = Outcome::kChanged;
  return update;
}

Result<RosterUpdate> UpdateEntry(SqlConnection& connection, const BareJid& account,
                                 const Jid& contact, const RosterTransition& transition,
                                 const RosterUpdateOptions& options) {
  const auto owner = FindOwner(connection, account.ToString());
  if (!owner) return owner.error();
  if (!*owner) return RosterUpdate{.outcome = Outcome::kNoOwner};

  auto repeated = FindRepeated(connection, **owner, contact, options.cause);
  if (!repeated) return repeated.error();
  if (*repeated) {
    RosterUpdate update = std::move(**repeated);
    update.after = transition(update.before);
    update.after.contact = contact;
    return update;
  }
  Result<RosterEntry> before = ReadEntry(connection, **owner, contact);
  if (!before) return before.error();
  const Result<Versions> versions = ReadVersions(connection, **owner);
  if (!versions) return versions.error();

  RosterUpdate update{.before = std::move(*before), .version = versions->newest};
  update.after = transition(update.before);
  update.after.contact = contact;
  if (update.after == update.before) return update;
  return Apply(connection, **owner, std::move(update), options);
}

Result<Roster> LoadRoster(SqlConnection& connection, const BareJid& account) {
  Roster roster;
  const auto owner = FindOwner(connection, account.ToString());
  if (!owner) return owner.error();
  if (!*owner) return roster;
  const Result<Versions> versions = ReadVersions(connection, **owner);
  if (!versions) return versions.error();
  roster.version = versions->newest;

  std::map<std::string, RosterEntry> entries;
  const auto entry_of = [&entries](std::string contact) -> RosterEntry& {
    RosterEntry& entry = entries[contact];
    if (entry.contact.empty()) entry.contact = Jid::FromNormalized(std::move(contact));
    return entry;
  };
  {
    SqlQuery row = connection
                       .Query(
                           "SELECT contact, name, subscription, ask, approved, group_names "
                           "FROM roster_item WHERE owner = ?1 AND removed = 0")
                       .Bind(1, **owner);
    while (row.Step()) entry_of(row.Text(0)).item = ReadItem(row, 1);
    if (!row.ok()) return connection.LastError();
  }
  SqlQuery row =
      connection.Query("SELECT contact, stanza, stamp FROM roster_request WHERE owner = ?1")
          .Bind(1, **owner);
  while (row.Step()) {
    entry_of(row.Text(0)).request = SubscriptionRequest{.stanza = row.Text(1), .stamp = row.Int(2)};
  }
  if (!row.ok()) return connection.LastError();
  for (auto& [contact, entry] : entries) roster.entries.push_back(std::move(entry));
  return roster;
}

Result<RosterChanges> ReadChanges(SqlConnection& connection, const BareJid& account,
                                  int64_t since) {
  RosterChanges changes;
  const auto owner = FindOwner(connection, account.ToString());
  if (!owner) return owner.error();
  if (!*owner) return changes;
  const Result<Versions> versions = ReadVersions(connection, **owner);
  if (!versions) return versions.error();
  changes.version = versions->newest;
  changes.known = since >= versions->oldest && since <= versions->newest;
  if (!changes.known) return changes;
  SqlQuery row = connection
                     .Query(
                         "SELECT contact, removed, name, subscription, ask, approved, "
                         "group_names FROM roster_item WHERE owner = ?1 AND version > ?2 "
                         "ORDER BY version")
                     .Bind(1, **owner)
                     .Bind(2, since);
  while (row.Step()) {
    RosterEntry entry{.contact = Jid::FromNormalized(row.Text(0))};
    if (row.Int(1) == 0) entry.item = ReadItem(row, 2);
    changes.changed.push_back(std::move(entry));
  }
  if (!row.ok()) return connection.LastError();
  return changes;
}

}  // namespace

Task<Result<Roster>> SqlRosterStore::Load(BareJid account) {
  return database_->Read<Roster>(loop_, [account = std::move(account)](SqlConnection& connection) {
    return LoadRoster(connection, account);
  });
}

Task<Result<RosterEntry>> SqlRosterStore::Find(BareJid account, Jid contact) {
  return database_->Read<RosterEntry>(loop_,
                                      [account = std::move(account), contact = std::move(contact)](
                                          SqlConnection& connection) -> Result<RosterEntry> {
                                        const auto owner =
                                            FindOwner(connection, account.ToString());
                                        if (!owner) return owner.error();
                                        if (!*owner) return RosterEntry{.contact = contact};
                                        return ReadEntry(connection, **owner, contact);
                                      });
}

Task<Result<RosterChanges>> SqlRosterStore::Since(BareJid account, int64_t version) {
  return database_->Read<RosterChanges>(
      loop_, [account = std::move(account), version](SqlConnection& connection) {
        return ReadChanges(connection, account, version);
      });
}

Task<Result<RosterUpdate>> SqlRosterStore::Update(BareJid account, Jid contact,
                                                  RosterTransition transition,
                                                  RosterUpdateOptions options) {
  StoreOwners owners = {account.ToString()};
  return database_->Write<RosterUpdate>(loop_, std::move(owners),
                                        [account = std::move(account), contact = std::move(contact),
                                         transition = std::move(transition),
                                         options = std::move(options)](SqlConnection& connection) {
                                          return UpdateEntry(connection, account, contact,
                                                             transition, options);
                                        });
}

}  // namespace business
