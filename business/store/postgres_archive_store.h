// ArchiveStore on PostgreSQL: messages of one batch go into all archives at once.
#pragma once

#include "business/store/sql_archive_store.h"

namespace business {

class PostgresArchiveStore : public SqlArchiveStore {
 public:
  PostgresArchiveStore(SqlDatabase* database, runtime::EventLoop* loop)
      : SqlArchiveStore(database, loop) {}

  runtime::Task<runtime::Result<std::vector<ArchivePlace>>> Insert(
      std::vector<ArchiveEntry> entries) override;
};

}  // namespace business
