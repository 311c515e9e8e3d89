#include "business/store/sql_archive_rows.h"

#include <string>

#include "business/store/sql_archive_text.h"

namespace business {

using runtime::Result;
using xmpp::Jid;

Result<std::optional<ArchiveRecord>> FindArchive(SqlConnection& connection,
                                                 std::string_view owner) {
  SqlQuery row = connection
                     .Query(
                         "SELECT a.id, a.position, a.stamp, a.mark, a.indexed, a.oldest "
                         "FROM owner o JOIN archive a ON a.owner = o.id WHERE o.jid = ?1")
                     .Bind(1, owner);
  if (!row.Step()) {
    if (!row.ok()) return connection.LastError();
    return std::optional<ArchiveRecord>();
  }
  ArchiveRecord archive{.id = row.Int(0),
                        .position = row.Int(1),
                        .stamp = row.Int(2),
                        .mark = row.Int(3),
                        .indexed = row.Int(4)};
  if (!row.IsNull(5)) archive.oldest = row.Int(5);
  return std::optional(archive);
}

ArchiveRow ReadArchiveRow(const SqlQuery& row) {
  std::string with = row.Text(3);
  const std::string resource = row.Text(4);
  if (!resource.empty()) with += "/" + resource;
  return {.position = PositionOf(row.Int(0)),
          .stamp_ms = row.Int(1),
          .effect = row.Text(2),
          .with = Jid::FromNormalized(std::move(with)),
          .direction = row.Int(5) != 0 ? ArchiveDirection::kIncoming : ArchiveDirection::kOutgoing,
          .hidden = row.Int(6) != 0,
          .flags = static_cast<uint32_t>(row.Int(7)),
          .bytes = row.Text(8),
          .origin = row.Text(9),
          .origin_id = row.Text(10)};
}

// An id is the beginning of an effect: what follows it are the effect's two bytes of index.
Result<std::optional<int64_t>> FindArchiveRow(SqlConnection& connection,
                                              const ArchiveRecord& archive, std::string_view id) {
  const std::string last = std::string(id) + "\xff\xff";
  SqlQuery row = connection
                     .Query(
                         "SELECT id FROM archive_row WHERE archive = ?1 AND effect >= ?2 AND "
                         "effect <= ?3 AND hidden = 0 ORDER BY effect LIMIT 1")
                     .Bind(1, archive.id)
                     .BindBlob(2, id)
                     .BindBlob(3, last);
  if (row.Step()) return std::optional(row.Int(0));
  if (!row.ok()) return connection.LastError();
  return std::optional<int64_t>();
}

namespace {

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

// One round trip for all of them.
Result<std::vector<std::optional<int64_t>>> AskPostgres(SqlConnection& connection,
                                                        const ArchiveRecord& archive,
                                                        const std::vector<ArchiveId>& ids) {
  std::string joined;
  for (const ArchiveId& id : ids) joined.append(joined.empty() ? "" : ",").append(Hex(id));
  SqlQuery row = connection
                     .Query(
                         "SELECT r.id FROM unnest(string_to_array(?2, ',')) WITH ORDINALITY u(hex, n) "
                         "LEFT JOIN LATERAL (SELECT id FROM archive_row WHERE archive = ?1 AND "
                         "effect >= decode(u.hex, 'hex') AND "
                         "effect <= decode(u.hex || 'ffff', 'hex') AND hidden = 0 "
                         "ORDER BY effect LIMIT 1) r ON true ORDER BY u.n")
                     .Bind(1, archive.id)
                     .Bind(2, joined);
  std::vector<std::optional<int64_t>> rows;
  while (row.Step()) rows.push_back(row.IsNull(0) ? std::nullopt : std::optional(row.Int(0)));
  if (!row.ok()) return connection.LastError();
  return rows;
}

}  // namespace

Result<std::vector<std::optional<int64_t>>> FindArchiveRows(SqlConnection& connection,
                                                            const ArchiveRecord& archive,
                                                            const std::vector<ArchiveId>& ids) {
  if (connection.engine() == SqlConnection::Engine::kPostgres) {
    return AskPostgres(connection, archive, ids);
  }
  std::vector<std::optional<int64_t>> rows;
  for (const ArchiveId& id : ids) {
    const auto row = FindArchiveRow(connection, archive, id);
    if (!row) return row.error();
    rows.push_back(*row);
  }
  return rows;
}

int64_t RemoveArchiveRows(SqlConnection& connection, const ArchiveRecord& archive, int64_t first,
                          int64_t last) {
  if (!ArchiveTextOf(connection).forget(connection, first, last, archive.RowId(archive.indexed)) ||
      !connection.Query("DELETE FROM archive_row WHERE id >= ?1 AND id <= ?2")
           .Bind(1, first)
           .Bind(2, last)
           .Run()) {
    return -1;
  }
  return connection.Changes();
}

}  // namespace business
