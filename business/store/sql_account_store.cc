#include "business/store/sql_account_store.h"

#include <ctime>
#include <utility>

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::BareJid;
using xmpp::sasl::Hash;
using xmpp::sasl::ScramKeys;

namespace {

std::string_view HashName(Hash hash) {
  switch (hash) {
    case Hash::kSha1:
      return "SHA-1";
    case Hash::kSha256:
      return "SHA-256";
    case Hash::kSha512:
      return "SHA-512";
  }
  return "";
}

std::optional<Hash> ParseHash(std::string_view name) {
  for (const Hash hash : {Hash::kSha1, Hash::kSha256, Hash::kSha512}) {
    if (HashName(hash) == name) return hash;
  }
  return std::nullopt;  // one that a later release knows
}

// Columns: jid, created, password_changed, locked.
Account ReadAccount(const SqlQuery& row) {
  Account account;
  account.jid = BareJid::FromNormalized(row.Text(0));
  account.created = row.Int(1);
  account.password_changed = row.Int(2);
  account.locked = row.Int(3) != 0;
  return account;
}

// Columns from 4: hash, iterations, salt, stored_key, server_key; NULL when there are none.
void ReadKeys(const SqlQuery& row, Account& account) {
  const std::optional<Hash> hash = ParseHash(row.Text(4));
  if (!hash) return;
  account.keys.push_back({.hash = *hash,
                          .iterations = static_cast<uint32_t>(row.Int(5)),
                          .salt = row.Text(6),
                          .stored_key = row.Text(7),
                          .server_key = row.Text(8)});
}

bool WriteKeys(SqlConnection& connection, const std::string& jid,
               const std::vector<ScramKeys>& keys) {
  if (!connection.Query("DELETE FROM credential WHERE jid = ?1").Bind(1, jid).Run()) return false;
  for (const ScramKeys& key : keys) {
    if (!connection
             .Query("INSERT INTO credential (jid, hash, iterations, salt, stored_key, server_key) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
             .Bind(1, jid)
             .Bind(2, HashName(key.hash))
             .Bind(3, int64_t{key.iterations})
             .BindBlob(4, key.salt)
             .BindBlob(5, key.stored_key)
             .BindBlob(6, key.server_key)
             .Run()) {
      return false;
    }
  }
  return true;
}

int64_t Now() { return static_cast<int64_t>(std::time(nullptr)); }

}  // namespace

Task<Result<std::optional<Account>>> SqlAccountStore::Find(BareJid jid) {
  using Found = std::optional<Account>;
  return database_->Read<Found>(
      loop_, [jid = std::move(jid)](SqlConnection& connection) -> Result<Found> {
        Found found;
        SqlQuery row =
            connection
                .Query(
                    "SELECT a.jid, a.created, a.password_changed, a.locked, "
                    "c.hash, c.iterations, c.salt, c.stored_key, c.server_key "
                    "FROM account a LEFT JOIN credential c ON c.jid = a.jid WHERE a.jid = ?1")
                .Bind(1, jid.ToString());
        while (row.Step()) {
          if (!found) found = ReadAccount(row);
          ReadKeys(row, *found);
        }
        if (!row.ok()) return connection.LastError();
        return found;
      });
}

Task<Result<AccountStore::Put>> SqlAccountStore::Add(Account account) {
  StoreOwners owners = {account.jid.ToString()};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [account = std::move(account)](SqlConnection& connection) -> Result<Put> {
        const std::string& jid = account.jid.ToString();
        if (!connection
                 .Query("INSERT INTO account (jid, domain, created, password_changed, locked) "
                        "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING")
                 .Bind(1, jid)
                 .Bind(2, account.jid.domain())
                 .Bind(3, account.created != 0 ? account.created : Now())
                 .Bind(4, account.password_changed != 0 ? account.password_changed : Now())
                 .Bind(5, int64_t{account.locked})
                 .Run()) {
          return connection.LastError();
        }
        if (connection.Changes() == 0) return Put::kExists;
        if (!WriteKeys(connection, jid, account.keys)) return connection.LastError();
        return Put::kDone;
      });
}

Task<Result<AccountStore::Put>> SqlAccountStore::SetKeys(BareJid jid, std::vector<ScramKeys> keys) {
  StoreOwners owners = {jid.ToString()};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [jid = std::move(jid), keys = std::move(keys)](SqlConnection& connection) -> Result<Put> {
        if (!connection.Query("UPDATE account SET password_changed = ?2 WHERE jid = ?1")
                 .Bind(1, jid.ToString())
                 .Bind(2, Now())
                 .Run()) {
          return connection.LastError();
        }
        if (connection.Changes() == 0) return Put::kMissing;
        if (!WriteKeys(connection, jid.ToString(), keys)) return connection.LastError();
        return Put::kDone;
      });
}

Task<Result<AccountStore::Put>> SqlAccountStore::SetLocked(BareJid jid, bool locked) {
  StoreOwners owners = {jid.ToString()};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [jid = std::move(jid), locked](SqlConnection& connection) -> Result<Put> {
        if (!connection.Query("UPDATE account SET locked = ?2 WHERE jid = ?1")
                 .Bind(1, jid.ToString())
                 .Bind(2, int64_t{locked})
                 .Run()) {
          return connection.LastError();
        }
        return connection.Changes() == 0 ? Put::kMissing : Put::kDone;
      });
}

Task<Result<AccountStore::Put>> SqlAccountStore::Remove(BareJid jid) {
  StoreOwners owners = {jid.ToString()};
  return database_->Write<Put>(
      loop_, std::move(owners), [jid = std::move(jid)](SqlConnection& connection) -> Result<Put> {
        if (!connection.Query("DELETE FROM account WHERE jid = ?1").Bind(1, jid.ToString()).Run()) {
          return connection.LastError();
        }
        return connection.Changes() == 0 ? Put::kMissing : Put::kDone;
      });
}

Task<Result<std::vector<Account>>> SqlAccountStore::List(std::string domain, std::string after,
                                                         uint32_t limit) {
  using Accounts = std::vector<Account>;
  return database_->Read<Accounts>(
      loop_,
      [domain = std::move(domain), after = std::move(after),
       limit](SqlConnection& connection) -> Result<Accounts> {
        constexpr std::string_view kAll =
            "SELECT jid, created, password_changed, locked FROM account "
            "WHERE jid > ?1 ORDER BY jid LIMIT ?2";
        constexpr std::string_view kOfDomain =
            "SELECT jid, created, password_changed, locked FROM account "
            "WHERE domain = ?3 AND jid > ?1 ORDER BY jid LIMIT ?2";
        SqlQuery row = domain.empty()
                           ? connection.Query(kAll).Bind(1, after).Bind(2, int64_t{limit})
                           : connection.Query(kOfDomain)
                                 .Bind(1, after)
                                 .Bind(2, int64_t{limit})
                                 .Bind(3, domain);
        Accounts accounts;
        while (row.Step()) accounts.push_back(ReadAccount(row));
        if (!row.ok()) return connection.LastError();
        return accounts;
      });
}

}  // namespace business
