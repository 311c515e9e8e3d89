#include "business/store/sql_generation_store.h"

#include <utility>

namespace business {

using runtime::Error;
using runtime::Result;
using runtime::Task;
using State = cluster::GenerationStore::State;

namespace {

Result<State> ReadState(SqlConnection& connection) {
  SqlQuery row = connection.Query("SELECT generation, fingerprint FROM cluster_state WHERE id = 1");
  if (row.Step()) {
    return State{.generation = static_cast<uint64_t>(row.Int(0)), .fingerprint = row.Text(1)};
  }
  if (!row.ok()) return connection.LastError();
  return Error::Failed("store: the row of cluster_state is missing");
}

}  // namespace

Task<Result<State>> SqlGenerationStore::Read() { return database_->Read<State>(loop_, ReadState); }

Task<Result<State>> SqlGenerationStore::Raise(uint64_t from, std::string fingerprint) {
  return database_->Write<State>(
      loop_, StoreOwners{},
      [from, fingerprint = std::move(fingerprint)](SqlConnection& connection) {
        const bool ok = connection
                            .Query(
                                "UPDATE cluster_state SET generation = generation + 1, "
                                "fingerprint = ?2 WHERE id = 1 AND generation = ?1")
                            .Bind(1, static_cast<int64_t>(from))
                            .Bind(2, fingerprint)
                            .Run();
        return ok ? ReadState(connection) : Result<State>(connection.LastError());
      });
}

}  // namespace business
