#include "business/store/sql_offline_store.h"

#include <optional>
#include <utility>

#include "business/store/sql_owner_store.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::BareJid;

namespace {

Result<OfflineCount> CountOf(SqlConnection& connection, int64_t owner) {
  SqlQuery row = connection
                     .Query(
                         "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM offline "
                         "WHERE owner = ?1")
                     .Bind(1, owner);
  if (!row.Step()) return connection.LastError();
  return OfflineCount{.messages = static_cast<uint32_t>(row.Int(0)),
                      .bytes = static_cast<uint64_t>(row.Int(1))};
}

Result<bool> Holds(SqlConnection& connection, int64_t owner, const std::string& effect) {
  SqlQuery row = connection.Query("SELECT 1 FROM offline WHERE owner = ?1 AND effect = ?2")
                     .Bind(1, owner)
                     .BindBlob(2, effect);
  const bool held = row.Step();
  if (!row.ok()) return connection.LastError();
  return held;
}

Result<OfflineStore::Append> AddMessage(SqlConnection& connection, const BareJid& account,
                                        const OfflineMessage& message,
                                        const OfflineLimits& limits) {
  using Append = OfflineStore::Append;
  const auto owner = FindOwner(connection, account.ToString());
  if (!owner) return owner.error();
  if (!*owner) return Append::kNoOwner;
  // First, so that a repeat is told "repeated" by a full queue too.
  const Result<bool> held = Holds(connection, **owner, message.effect);
  if (!held) return held.error();
  if (*held) return Append::kRepeated;
  const Result<OfflineCount> count = CountOf(connection, **owner);
  if (!count) return count.error();
  if (count->messages >= limits.messages || count->bytes + message.bytes.size() > limits.bytes) {
    return Append::kFull;
  }
  if (!connection
           .Query("INSERT INTO offline (owner, effect, stamp, flags, size, bytes) "
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
           .Bind(1, **owner)
           .BindBlob(2, message.effect)
           .Bind(3, message.stamp_ms)
           .Bind(4, int64_t{message.flags})
           .Bind(5, static_cast<int64_t>(message.bytes.size()))
           .BindBlob(6, message.bytes)
           .Run()) {
    return connection.LastError();
  }
  return Append::kDone;
}

}  // namespace

Task<Result<OfflineStore::Append>> SqlOfflineStore::Add(BareJid account, OfflineMessage message,
                                                        OfflineLimits limits) {
  StoreOwners owners = {account.ToString()};
  return database_->Write<Append>(
      loop_, std::move(owners),
      [account = std::move(account), message = std::move(message), limits](
          SqlConnection& connection) { return AddMessage(connection, account, message, limits); });
}

Task<Result<std::vector<OfflineMessage>>> SqlOfflineStore::Read(BareJid account, int64_t after,
                                                                uint32_t limit) {
  using Messages = std::vector<OfflineMessage>;
  return database_->Read<Messages>(
      loop_,
      [account = std::move(account), after, limit](SqlConnection& connection) -> Result<Messages> {
        SqlQuery row = connection
                           .Query(
                               "SELECT f.id, f.effect, f.bytes, f.stamp, f.flags "
                               "FROM owner o JOIN offline f INDEXED BY offline_by_owner "
                               "ON f.owner = o.id "
                               "WHERE o.jid = ?1 AND f.id > ?2 ORDER BY f.id LIMIT ?3")
                           .Bind(1, account.ToString())
                           .Bind(2, after)
                           .Bind(3, int64_t{limit});
        Messages messages;
        while (row.Step()) {
          messages.push_back({.effect = row.Text(1),
                              .bytes = row.Text(2),
                              .stamp_ms = row.Int(3),
                              .flags = static_cast<uint32_t>(row.Int(4)),
                              .number = row.Int(0)});
        }
        if (!row.ok()) return connection.LastError();
        return messages;
      });
}

Task<Result<OfflineCount>> SqlOfflineStore::Count(BareJid account) {
  return database_->Read<OfflineCount>(
      loop_, [account = std::move(account)](SqlConnection& connection) -> Result<OfflineCount> {
        const auto owner = FindOwner(connection, account.ToString());
        if (!owner) return owner.error();
        if (!*owner) return OfflineCount{};
        return CountOf(connection, **owner);
      });
}

Task<Result<uint32_t>> SqlOfflineStore::RemoveUpTo(BareJid account, int64_t number) {
  StoreOwners owners = {account.ToString()};
  return database_->Write<uint32_t>(
      loop_, std::move(owners),
      [account = std::move(account), number](SqlConnection& connection) -> Result<uint32_t> {
        if (!connection
                 .Query("DELETE FROM offline WHERE owner = (SELECT id FROM owner WHERE jid = ?1) "
                        "AND id <= ?2")
                 .Bind(1, account.ToString())
                 .Bind(2, number)
                 .Run()) {
          return connection.LastError();
        }
        return static_cast<uint32_t>(connection.Changes());
      });
}

Task<Result<uint32_t>> SqlOfflineStore::Remove(BareJid account, std::vector<std::string> effects) {
  StoreOwners owners = {account.ToString()};
  return database_->Write<uint32_t>(
      loop_, std::move(owners),
      [account = std::move(account),
       effects = std::move(effects)](SqlConnection& connection) -> Result<uint32_t> {
        uint32_t removed = 0;
        for (const std::string& effect : effects) {
          if (!connection
                   .Query("DELETE FROM offline WHERE owner = (SELECT id FROM owner WHERE jid = ?1) "
                          "AND effect = ?2")
                   .Bind(1, account.ToString())
                   .BindBlob(2, effect)
                   .Run()) {
            return connection.LastError();
          }
          removed += static_cast<uint32_t>(connection.Changes());
        }
        return removed;
      });
}

}  // namespace business
