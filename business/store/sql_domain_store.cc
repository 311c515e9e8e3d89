#include "business/store/sql_domain_store.h"

#include <ctime>
#include <utility>

namespace business {

using runtime::Result;
using runtime::Task;

namespace {

// After a change of one row: `none` if there was nothing to change.
Result<DomainStore::Put> RaiseGeneration(SqlConnection& connection, DomainStore::Put none) {
  if (connection.Changes() == 0) return none;
  if (!connection.Query("UPDATE domain_state SET generation = generation + 1 WHERE id = 1").Run()) {
    return connection.LastError();
  }
  return DomainStore::Put::kDone;
}

}  // namespace

Task<Result<DomainList>> SqlDomainStore::List() {
  return database_->Read<DomainList>(loop_, [](SqlConnection& connection) -> Result<DomainList> {
    DomainList list;
    {
      SqlQuery row = connection.Query("SELECT generation FROM domain_state WHERE id = 1");
      if (!row.Step()) return connection.LastError();
      list.generation = row.Int(0);
    }
    SqlQuery row = connection.Query("SELECT name, added, settings FROM domain ORDER BY name");
    while (row.Step()) {
      list.domains.push_back({.name = row.Text(0), .added = row.Int(1), .settings = row.Text(2)});
    }
    if (!row.ok()) return connection.LastError();
    return list;
  });
}

Task<Result<DomainStore::Put>> SqlDomainStore::Add(Domain domain) {
  return database_->Write<Put>(
      loop_, StoreOwners{}, [domain = std::move(domain)](SqlConnection& connection) -> Result<Put> {
        if (!connection
                 .Query("INSERT INTO domain (name, added, settings) VALUES (?1, ?2, ?3) "
                        "ON CONFLICT DO NOTHING")
                 .Bind(1, domain.name)
                 .Bind(2,
                       domain.added != 0 ? domain.added : static_cast<int64_t>(std::time(nullptr)))
                 .BindBlob(3, domain.settings)
                 .Run()) {
          return connection.LastError();
        }
        return RaiseGeneration(connection, Put::kExists);
      });
}

Task<Result<DomainStore::Put>> SqlDomainStore::SetSettings(std::string name, std::string settings) {
  return database_->Write<Put>(
      loop_, StoreOwners{},
      [name = std::move(name),
       settings = std::move(settings)](SqlConnection& connection) -> Result<Put> {
        if (!connection.Query("UPDATE domain SET settings = ?2 WHERE name = ?1")
                 .Bind(1, name)
                 .BindBlob(2, settings)
                 .Run()) {
          return connection.LastError();
        }
        return RaiseGeneration(connection, Put::kMissing);
      });
}

Task<Result<DomainStore::Put>> SqlDomainStore::Remove(std::string name) {
  return database_->Write<Put>(
      loop_, StoreOwners{}, [name = std::move(name)](SqlConnection& connection) -> Result<Put> {
        if (!connection.Query("DELETE FROM domain WHERE name = ?1").Bind(1, name).Run()) {
          return connection.LastError();
        }
        return RaiseGeneration(connection, Put::kMissing);
      });
}

}  // namespace business
