#include "business/store/postgres_store.h"

#include <utility>

#include "business/store/postgres_archive_store.h"

namespace business {

using runtime::EventLoop;
using runtime::Result;

Result<std::unique_ptr<Store>> PostgresStore::Open(PostgresDatabase::Options options) {
  auto database = PostgresDatabase::Open(std::move(options));
  if (!database) return database.error();
  return std::unique_ptr<Store>(new PostgresStore(std::move(*database)));
}

std::unique_ptr<ArchiveStore> PostgresStore::Archives(EventLoop* loop) {
  return std::make_unique<PostgresArchiveStore>(database_.get(), loop);
}

SqlStore::Inspection PostgresStore::InspectionOf() const {
  return
      [options = database_->ConnectionOptions("xylem-check")] { return InspectPostgres(options); };
}

}  // namespace business
