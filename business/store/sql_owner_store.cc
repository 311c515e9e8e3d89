#include "business/store/sql_owner_store.h"

#include <utility>

namespace business {

using runtime::Result;
using runtime::Task;

Result<std::optional<int64_t>> FindOwner(SqlConnection& connection, std::string_view jid) {
  SqlQuery row = connection.Query("SELECT id FROM owner WHERE jid = ?1").Bind(1, jid);
  if (row.Step()) return std::optional(row.Int(0));
  if (!row.ok()) return connection.LastError();
  return std::optional<int64_t>();
}

Task<Result<OwnerStore::Put>> SqlOwnerStore::Add(xmpp::Jid owner) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner)](SqlConnection& connection) -> Result<Put> {
        if (!connection.Query("INSERT INTO owner (jid) VALUES (?1) ON CONFLICT DO NOTHING")
                 .Bind(1, owner.BareView())
                 .Run()) {
          return connection.LastError();
        }
        return connection.Changes() == 0 ? Put::kExists : Put::kDone;
      });
}

Task<Result<OwnerStore::Put>> SqlOwnerStore::Remove(xmpp::Jid owner) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner)](SqlConnection& connection) -> Result<Put> {
        {
          SqlQuery account =
              connection.Query("SELECT 1 FROM account WHERE jid = ?1").Bind(1, owner.BareView());
          if (account.Step()) return Put::kIsAccount;
          if (!account.ok()) return connection.LastError();
        }
        if (!connection.Query("DELETE FROM owner WHERE jid = ?1").Bind(1, owner.BareView()).Run()) {
          return connection.LastError();
        }
        return connection.Changes() == 0 ? Put::kMissing : Put::kDone;
      });
}

}  // namespace business
