// Rows of archives: how they are numbered, found and removed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "business/store/archive_store.h"
#include "business/store/sql_connection.h"
#include "lib/runtime/result.h"

namespace business {

// A row's number is its archive's and its position: an archive lies in one piece of the table, in
// order, and a page of it is a few neighbouring leaves.
inline constexpr int kPositionBits = 36;

struct ArchiveRecord {
  int64_t id = 0;
  int64_t position = 0, stamp = 0, mark = 0, indexed = 0;
  std::optional<int64_t> oldest;

  int64_t RowId(int64_t at) const { return (id << kPositionBits) + at; }
};

inline int64_t PositionOf(int64_t row_id) { return row_id & ((int64_t{1} << kPositionBits) - 1); }

// nullopt: no row was ever written for this owner.
runtime::Result<std::optional<ArchiveRecord>> FindArchive(SqlConnection& connection,
                                                          std::string_view owner);

// What ReadArchiveRow wants to be selected, of `archive_row r`.
#define ARCHIVE_ROW_COLUMNS                                                                \
  "r.id, r.stamp, r.effect, r.with_bare, r.with_resource, r.incoming, r.hidden, r.flags, " \
  "r.bytes, r.origin, r.origin_id"
ArchiveRow ReadArchiveRow(const SqlQuery& row);

// The row id of the one that `id` names; nullopt: none, or hidden.
runtime::Result<std::optional<int64_t>> FindArchiveRow(SqlConnection& connection,
                                                       const ArchiveRecord& archive,
                                                       std::string_view id);
// Of each of `ids`, which are not empty, in their order.
runtime::Result<std::vector<std::optional<int64_t>>> FindArchiveRows(
    SqlConnection& connection, const ArchiveRecord& archive, const std::vector<ArchiveId>& ids);

// All rows with first <= id <= last, and their words. Returns how many, or -1: LastError().
int64_t RemoveArchiveRows(SqlConnection& connection, const ArchiveRecord& archive, int64_t first,
                          int64_t last);

// What a query may run, for tests of the plans.
std::vector<std::string> ArchiveQueryStatements(SqlConnection::Engine engine);

runtime::Result<ArchivePage> QueryArchive(SqlConnection& connection, std::string_view owner,
                                          const ArchiveQuery& query);

}  // namespace business
