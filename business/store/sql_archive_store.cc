#include "business/store/sql_archive_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "business/store/sql_archive_rows.h"
#include "business/store/sql_archive_text.h"
#include "business/store/sql_owner_store.h"
#include "business/store/text_list.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::Jid;

namespace {

constexpr int64_t kOriginIdsLookedAt = 10000;
constexpr int64_t kIndexedAtOnce = 500;  // rows; a turn of some milliseconds

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<std::optional<ArchiveRecord>> FindOrMakeArchive(SqlConnection& connection,
                                                       const Jid& owner) {
  Result<std::optional<ArchiveRecord>> found = FindArchive(connection, owner.BareView());
  if (!found || *found) return found;
  if (!connection
           .Query("INSERT INTO archive (owner, position, stamp, mark, indexed) "
                  "SELECT id, 0, 0, 0, 0 FROM owner WHERE jid = ?1")
           .Bind(1, owner.BareView())
           .Run()) {
    return connection.LastError();
  }
  if (connection.Changes() == 0) return std::optional<ArchiveRecord>();
  return FindArchive(connection, owner.BareView());
}

Result<ArchivePlace> FindRepeated(SqlConnection& connection, const ArchiveRecord& archive,
                                  const std::string& effect) {
  SqlQuery row =
      connection.Query("SELECT id, stamp FROM archive_row WHERE archive = ?1 AND effect = ?2")
          .Bind(1, archive.id)
          .BindBlob(2, effect);
  if (!row.Step()) return connection.LastError();
  return ArchivePlace{.outcome = ArchivePlace::Outcome::kRepeated,
                      .position = PositionOf(row.Int(0)),
                      .stamp_ms = row.Int(1)};
}

bool InsertRow(SqlConnection& connection, const ArchiveRecord& archive, const ArchivePlace& place,
               const ArchiveEntry& entry) {
  SqlQuery insert = connection
                        .Query(
                            "INSERT INTO archive_row (id, archive, effect, stamp, with_bare, "
                            "with_resource, incoming, hidden, flags, origin, origin_id, bytes, "
                            "body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
                            "?13) ON CONFLICT (archive, effect) DO NOTHING")
                        .Bind(1, archive.RowId(place.position))
                        .Bind(2, archive.id)
                        .BindBlob(3, entry.effect)
                        .Bind(4, place.stamp_ms)
                        .Bind(5, entry.with.BareView())
                        .Bind(6, entry.with.resource())
                        .Bind(7, int64_t{entry.direction == ArchiveDirection::kIncoming})
                        .Bind(8, int64_t{entry.hidden})
                        .Bind(9, int64_t{entry.flags & ~kArchiveTombstone})
                        .BindBlob(10, entry.origin)
                        .Bind(11, entry.origin_id)
                        .BindBlob(12, entry.bytes);
  // A hidden row is in no answer: it needs no words.
  if (entry.hidden || entry.body.empty()) return insert.Run();
  return std::move(insert).Bind(13, entry.body).Run();
}

Result<ArchivePlace> InsertEntry(SqlConnection& connection, const ArchiveEntry& entry) {
  const auto archive = FindOrMakeArchive(connection, entry.owner);
  if (!archive) return archive.error();
  if (!*archive) return ArchivePlace{.outcome = ArchivePlace::Outcome::kNoOwner};
  const ArchiveRecord& record = **archive;

  const int64_t stamp = entry.stamp_ms != 0 ? entry.stamp_ms : NowMs();
  const ArchivePlace place{.position = record.position + 1,
                           .stamp_ms = std::max(record.stamp, stamp)};
  if (!InsertRow(connection, record, place, entry)) return connection.LastError();
  if (connection.Changes() == 0) return FindRepeated(connection, record, entry.effect);

  // Nothing unconfirmed behind an outgoing row: the mark goes along, so that what lies behind it
  // is short for those who send much and receive little.
  const bool confirmed =
      entry.direction == ArchiveDirection::kOutgoing && record.mark == record.position;
  if (!connection
           .Query("UPDATE archive SET position = ?2, stamp = ?3, mark = ?4, "
                  "oldest = coalesce(oldest, ?3) WHERE id = ?1")
           .Bind(1, record.id)
           .Bind(2, place.position)
           .Bind(3, place.stamp_ms)
           .Bind(4, confirmed ? place.position : record.mark)
           .Run()) {
    return connection.LastError();
  }
  return place;
}

template <typename Item>
StoreOwners OwnersOf(const std::vector<Item>& items) {
  StoreOwners owners;
  for (const Item& item : items) owners.emplace_back(item.owner.BareView());
  return owners;
}

// One turn. True: everything is indexed.
Result<bool> IndexSome(SqlConnection& connection, const std::string& owner) {
  const auto archive = FindArchive(connection, owner);
  if (!archive) return archive.error();
  if (!*archive || (*archive)->indexed >= (*archive)->position) return true;
  const ArchiveRecord& record = **archive;
  const int64_t to = std::min(record.indexed + kIndexedAtOnce, record.position);
  if (!ArchiveTextOf(connection)
           .index(connection, record.id, record.RowId(record.indexed), record.RowId(to)) ||
      !connection.Query("UPDATE archive SET indexed = ?2 WHERE id = ?1")
           .Bind(1, record.id)
           .Bind(2, to)
           .Run()) {
    return connection.LastError();
  }
  return to == record.position;
}

Result<std::optional<ArchiveEnds::End>> ReadEnd(SqlConnection& connection, std::string_view sql,
                                                const ArchiveRecord& archive) {
  SqlQuery row =
      connection.Query(sql).Bind(1, archive.RowId(0)).Bind(2, archive.RowId(archive.position));
  if (row.Step()) {
    return std::optional(ArchiveEnds::End{.id = row.Text(0).substr(0, 16), .stamp_ms = row.Int(1)});
  }
  if (!row.ok()) return connection.LastError();
  return std::optional<ArchiveEnds::End>();
}

Result<ArchiveStore::Change> ReplaceRow(SqlConnection& connection, const Jid& owner,
                                        const ArchiveId& id, const std::string& bytes) {
  using Change = ArchiveStore::Change;
  const auto archive = FindArchive(connection, owner.BareView());
  if (!archive) return archive.error();
  if (!*archive) return Change::kMissing;
  const auto row = FindArchiveRow(connection, **archive, id);
  if (!row) return row.error();
  if (!*row) return Change::kMissing;
  if (!ArchiveTextOf(connection)
           .forget(connection, **row, **row, (*archive)->RowId((*archive)->indexed)) ||
      !connection
           .Query(
               "UPDATE archive_row SET bytes = ?2, body = NULL, flags = flags | ?3 WHERE id = ?1")
           .Bind(1, **row)
           .BindBlob(2, bytes)
           .Bind(3, int64_t{kArchiveTombstone})
           .Run()) {
    return connection.LastError();
  }
  return Change::kDone;
}

Result<uint32_t> RaiseMark(SqlConnection& connection, const ArchiveMark& mark) {
  const auto archive = FindArchive(connection, mark.owner.BareView());
  if (!archive) return archive.error();
  if (!*archive) return 0u;
  const int64_t position = std::min(mark.position, (*archive)->position);
  if (position <= (*archive)->mark) return 0u;
  // Hidden rows have no words.
  if (!connection.Query("DELETE FROM archive_row WHERE hidden = 1 AND id > ?1 AND id <= ?2")
           .Bind(1, (*archive)->RowId(0))
           .Bind(2, (*archive)->RowId(position))
           .Run()) {
    return connection.LastError();
  }
  const auto removed = static_cast<uint32_t>(connection.Changes());
  if (!connection.Query("UPDATE archive SET mark = ?2 WHERE id = ?1")
           .Bind(1, (*archive)->id)
           .Bind(2, position)
           .Run()) {
    return connection.LastError();
  }
  return removed;
}

std::vector<std::string> Texts(const std::vector<Jid>& jids) {
  std::vector<std::string> texts;
  for (const Jid& jid : jids) texts.push_back(jid.ToString());
  return texts;
}

std::vector<Jid> Jids(std::string_view joined) {
  std::vector<Jid> jids;
  for (std::string& text : SplitTexts(joined)) jids.push_back(Jid::FromNormalized(std::move(text)));
  return jids;
}

// ---- Sweep ----

// The first `limit` rows with an earlier stamp. Positions and stamps ascend together: they are the
// first of the archive.
Result<uint32_t> RemoveFirst(SqlConnection& connection, const ArchiveRecord& archive,
                             int64_t before_ms, uint32_t limit) {
  int64_t first = 0, last = 0;
  {
    SqlQuery row =
        connection
            .Query(
                "SELECT min(id), max(id) FROM (SELECT id, stamp FROM archive_row "
                "WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?4) AS first WHERE stamp < ?3")
            .Bind(1, archive.RowId(0))
            .Bind(2, archive.RowId(archive.position))
            .Bind(3, before_ms)
            .Bind(4, int64_t{limit});
    if (!row.Step()) return connection.LastError();
    if (row.IsNull(0)) return 0u;
    first = row.Int(0);
    last = row.Int(1);
  }
  const int64_t removed = RemoveArchiveRows(connection, archive, first, last);
  if (removed < 0) return connection.LastError();
  return static_cast<uint32_t>(removed);
}

bool NoteOldest(SqlConnection& connection, const ArchiveRecord& archive) {
  return connection
      .Query(
          "UPDATE archive SET oldest = (SELECT stamp FROM archive_row WHERE id > ?2 AND id <= ?3 "
          "ORDER BY id LIMIT 1) WHERE id = ?1")
      .Bind(1, archive.id)
      .Bind(2, archive.RowId(0))
      .Bind(3, archive.RowId(archive.position))
      .Run();
}

// Nobody inserts into it meanwhile: in PostgreSQL, where a sweep is no turn of its own, the row is
// locked.
Result<std::optional<ArchiveRecord>> PickArchive(SqlConnection& connection, std::string_view sqlite,
                                                 std::string_view postgres, int64_t before_ms) {
  SqlQuery row = connection.Query(sqlite, postgres).Bind(1, before_ms);
  if (row.Step()) {
    return std::optional(
        ArchiveRecord{.id = row.Int(0), .position = row.Int(1), .indexed = row.Int(2)});
  }
  if (!row.ok()) return connection.LastError();
  return std::optional<ArchiveRecord>();
}

Result<uint32_t> SweepErased(SqlConnection& connection, uint32_t limit) {
  uint32_t removed = 0;
  while (removed < limit) {
    constexpr std::string_view kErased =
        "SELECT id, position, indexed, ?1 FROM archive WHERE owner IS NULL LIMIT 1";
    constexpr std::string_view kErasedLocked =
        "SELECT id, position, indexed, ?1 FROM archive WHERE owner IS NULL LIMIT 1 FOR UPDATE";
    const auto archive = PickArchive(connection, kErased, kErasedLocked, 0);
    if (!archive) return archive.error();
    if (!*archive) break;
    const Result<uint32_t> some = RemoveFirst(connection, **archive, INT64_MAX, limit - removed);
    if (!some) return some;
    const bool all = *some < limit - removed;
    removed += *some;
    if (all &&
        !connection.Query("DELETE FROM archive WHERE id = ?1").Bind(1, (*archive)->id).Run()) {
      return connection.LastError();
    }
  }
  return removed;
}

Result<uint32_t> SweepOld(SqlConnection& connection, int64_t before_ms, uint32_t limit) {
  uint32_t removed = 0;
  while (removed < limit) {
    constexpr std::string_view kOld =
        "SELECT id, position, indexed FROM archive INDEXED BY archive_by_oldest "
        "WHERE oldest < ?1 ORDER BY oldest LIMIT 1";
    constexpr std::string_view kOldLocked =
        "SELECT id, position, indexed FROM archive WHERE oldest < ?1 "
        "ORDER BY oldest LIMIT 1 FOR UPDATE";
    const auto archive = PickArchive(connection, kOld, kOldLocked, before_ms);
    if (!archive) return archive.error();
    if (!*archive) break;
    const Result<uint32_t> some = RemoveFirst(connection, **archive, before_ms, limit - removed);
    if (!some) return some;
    removed += *some;
    if (!NoteOldest(connection, **archive)) return connection.LastError();
  }
  return removed;
}

}  // namespace

Task<Result<std::vector<ArchivePlace>>> SqlArchiveStore::Insert(std::vector<ArchiveEntry> entries) {
  using Places = std::vector<ArchivePlace>;
  StoreOwners owners = OwnersOf(entries);
  return database_->Write<Places>(
      loop_, std::move(owners),
      [entries = std::move(entries)](SqlConnection& connection) -> Result<Places> {
        Places places;
        for (const ArchiveEntry& entry : entries) {
          Result<ArchivePlace> place = InsertEntry(connection, entry);
          if (!place) return place.error();
          places.push_back(*place);
        }
        return places;
      });
}

Task<Result<bool>> SqlArchiveStore::IndexText(std::string owner) {
  while (true) {
    StoreWork<bool> some = [owner](SqlConnection& connection) {
      return IndexSome(connection, owner);
    };
    StoreOwners owners(1, owner);  // g++ 12 stumbles over a list here
    Result<bool> done = co_await database_->Write<bool>(loop_, std::move(owners), std::move(some));
    if (!done || *done) co_return done;
  }
}

Task<Result<ArchivePage>> SqlArchiveStore::Query(Jid owner, ArchiveQuery query) {
  std::string jid(owner.BareView());
  if (!query.text.empty()) {
    // Mostly nothing is left to index, and a reader can tell without a writer's turn.
    StoreWork<bool> ready = [jid](SqlConnection& connection) -> Result<bool> {
      const auto archive = FindArchive(connection, jid);
      if (!archive) return archive.error();
      return !*archive || (*archive)->indexed >= (*archive)->position;
    };
    Result<bool> indexed = co_await database_->Read<bool>(loop_, std::move(ready));
    if (indexed && !*indexed) indexed = co_await IndexText(jid);
    if (!indexed) co_return indexed.error();
  }
  StoreWork<ArchivePage> search = [jid = std::move(jid),
                                   query = std::move(query)](SqlConnection& connection) {
    return QueryArchive(connection, jid, query);
  };
  Result<ArchivePage> page = co_await database_->Read<ArchivePage>(loop_, std::move(search));
  co_return page;
}

Task<Result<ArchiveEnds>> SqlArchiveStore::Ends(Jid owner) {
  return database_->Read<ArchiveEnds>(
      loop_, [owner = std::move(owner)](SqlConnection& connection) -> Result<ArchiveEnds> {
        const auto archive = FindArchive(connection, owner.BareView());
        if (!archive) return archive.error();
        if (!*archive) return ArchiveEnds{};
        auto first = ReadEnd(connection,
                             "SELECT effect, stamp FROM archive_row WHERE id > ?1 AND id <= ?2 "
                             "AND hidden = 0 ORDER BY id LIMIT 1",
                             **archive);
        if (!first) return first.error();
        auto last = ReadEnd(connection,
                            "SELECT effect, stamp FROM archive_row WHERE id > ?1 AND id <= ?2 "
                            "AND hidden = 0 ORDER BY id DESC LIMIT 1",
                            **archive);
        if (!last) return last.error();
        return ArchiveEnds{.first = std::move(*first), .last = std::move(*last)};
      });
}

Task<Result<std::optional<ArchiveRow>>> SqlArchiveStore::FindByOriginId(Jid owner, Jid with,
                                                                        ArchiveDirection direction,
                                                                        std::string origin_id) {
  using Found = std::optional<ArchiveRow>;
  return database_->Read<Found>(
      loop_,
      [owner = std::move(owner), with = std::move(with), direction,
       origin_id = std::move(origin_id)](SqlConnection& connection) -> Result<Found> {
        const auto archive = FindArchive(connection, owner.BareView());
        if (!archive) return archive.error();
        if (!*archive) return Found();
        SqlQuery row =
            connection
                .Query("SELECT " ARCHIVE_ROW_COLUMNS
                       " FROM (SELECT * FROM archive_row INDEXED BY archive_row_with "
                       "WHERE archive = ?1 AND with_bare = ?2 ORDER BY id DESC LIMIT ?5) r "
                       "WHERE r.origin_id = ?3 AND r.incoming = ?4 AND r.hidden = 0 "
                       "ORDER BY r.id DESC LIMIT 1")
                .Bind(1, (*archive)->id)
                .Bind(2, with.BareView())
                .Bind(3, origin_id)
                .Bind(4, int64_t{direction == ArchiveDirection::kIncoming})
                .Bind(5, kOriginIdsLookedAt);
        if (row.Step()) return Found(ReadArchiveRow(row));
        if (!row.ok()) return connection.LastError();
        return Found();
      });
}

Task<Result<ArchiveStore::Change>> SqlArchiveStore::Replace(Jid owner, ArchiveId id,
                                                            std::string bytes) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Change>(
      loop_, std::move(owners),
      [owner = std::move(owner), id = std::move(id), bytes = std::move(bytes)](
          SqlConnection& connection) { return ReplaceRow(connection, owner, id, bytes); });
}

Task<Result<ArchiveState>> SqlArchiveStore::State(Jid owner) {
  return database_->Read<ArchiveState>(
      loop_, [owner = std::move(owner)](SqlConnection& connection) -> Result<ArchiveState> {
        const auto archive = FindArchive(connection, owner.BareView());
        if (!archive) return archive.error();
        if (!*archive) return ArchiveState{};
        return ArchiveState{.mark = (*archive)->mark, .position = (*archive)->position};
      });
}

Task<Result<uint32_t>> SqlArchiveStore::RaiseMarks(std::vector<ArchiveMark> marks) {
  StoreOwners owners = OwnersOf(marks);
  return database_->Write<uint32_t>(
      loop_, std::move(owners),
      [marks = std::move(marks)](SqlConnection& connection) -> Result<uint32_t> {
        uint32_t removed = 0;
        for (const ArchiveMark& mark : marks) {
          const Result<uint32_t> some = RaiseMark(connection, mark);
          if (!some) return some;
          removed += *some;
        }
        return removed;
      });
}

Task<Result<std::vector<ArchiveRow>>> SqlArchiveStore::Unconfirmed(Jid owner, int64_t position,
                                                                   uint32_t limit) {
  using Rows = std::vector<ArchiveRow>;
  return database_->Read<Rows>(
      loop_,
      [owner = std::move(owner), position, limit](SqlConnection& connection) -> Result<Rows> {
        const auto archive = FindArchive(connection, owner.BareView());
        if (!archive) return archive.error();
        if (!*archive) return Rows();
        SqlQuery row =
            connection
                .Query("SELECT " ARCHIVE_ROW_COLUMNS
                       " FROM archive_row r WHERE r.id > ?1 AND r.id <= ?2 AND r.incoming = 1 "
                       "AND r.flags & ?3 = 0 ORDER BY r.id LIMIT ?4")
                .Bind(1, (*archive)->RowId(std::max<int64_t>(position, 0)))
                .Bind(2, (*archive)->RowId((*archive)->position))
                .Bind(3, int64_t{kArchiveTombstone})
                .Bind(4, int64_t{limit});
        Rows rows;
        while (row.Step()) rows.push_back(ReadArchiveRow(row));
        if (!row.ok()) return connection.LastError();
        return rows;
      });
}

Task<Result<std::optional<ArchivePreferences>>> SqlArchiveStore::Preferences(Jid owner) {
  using Found = std::optional<ArchivePreferences>;
  return database_->Read<Found>(
      loop_, [owner = std::move(owner)](SqlConnection& connection) -> Result<Found> {
        SqlQuery row = connection
                           .Query(
                               "SELECT p.otherwise, p.always, p.never FROM owner o "
                               "JOIN archive_preferences p ON p.owner = o.id WHERE o.jid = ?1")
                           .Bind(1, owner.BareView());
        if (row.Step()) {
          return Found({.otherwise = static_cast<ArchivePreferences::Otherwise>(row.Int(0)),
                        .always = Jids(row.Text(1)),
                        .never = Jids(row.Text(2))});
        }
        if (!row.ok()) return connection.LastError();
        return Found();
      });
}

Task<Result<ArchiveStore::Put>> SqlArchiveStore::SetPreferences(Jid owner,
                                                                ArchivePreferences preferences) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Put>(
      loop_, std::move(owners),
      [owner = std::move(owner),
       preferences = std::move(preferences)](SqlConnection& connection) -> Result<Put> {
        if (!connection
                 .Query("INSERT INTO archive_preferences (owner, otherwise, always, never) "
                        "SELECT id, ?2, ?3, ?4 FROM owner WHERE jid = ?1 "
                        "ON CONFLICT (owner) DO UPDATE SET otherwise = excluded.otherwise, "
                        "always = excluded.always, never = excluded.never")
                 .Bind(1, owner.BareView())
                 .Bind(2, static_cast<int64_t>(preferences.otherwise))
                 .Bind(3, JoinTexts(Texts(preferences.always)))
                 .Bind(4, JoinTexts(Texts(preferences.never)))
                 .Run()) {
          return connection.LastError();
        }
        return connection.Changes() == 0 ? Put::kNoOwner : Put::kDone;
      });
}

// The owner gets a new archive that goes on where the old one stood; nobody's are swept.
Task<Result<ArchiveStore::Change>> SqlArchiveStore::Erase(Jid owner) {
  StoreOwners owners = {std::string(owner.BareView())};
  return database_->Write<Change>(
      loop_, std::move(owners),
      [owner = std::move(owner)](SqlConnection& connection) -> Result<Change> {
        const auto archive = FindArchive(connection, owner.BareView());
        if (!archive) return archive.error();
        if (!*archive) return Change::kMissing;
        if (!connection.Query("UPDATE archive SET owner = NULL WHERE id = ?1")
                 .Bind(1, (*archive)->id)
                 .Run() ||
            !connection
                 .Query("INSERT INTO archive (owner, position, stamp, mark, indexed) "
                        "SELECT id, ?2, ?3, ?4, ?2 FROM owner WHERE jid = ?1")
                 .Bind(1, owner.BareView())
                 .Bind(2, (*archive)->position)
                 .Bind(3, (*archive)->stamp)
                 .Bind(4, (*archive)->mark)
                 .Run()) {
          return connection.LastError();
        }
        return Change::kDone;
      });
}

Task<Result<uint32_t>> SqlArchiveStore::Sweep(int64_t before_ms, uint32_t limit) {
  return database_->Write<uint32_t>(
      loop_, StoreOwners{}, [before_ms, limit](SqlConnection& connection) -> Result<uint32_t> {
        const Result<uint32_t> erased = SweepErased(connection, limit);
        if (!erased || before_ms == 0) return erased;
        const Result<uint32_t> old = SweepOld(connection, before_ms, limit - *erased);
        if (!old) return old;
        return *erased + *old;
      });
}

}  // namespace business
