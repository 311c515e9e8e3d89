#include <algorithm>
#include <array>
#include <utility>

#include "business/store/sql_archive_rows.h"
#include "business/store/sql_archive_text.h"

namespace business {

using runtime::Error;
using runtime::Result;

namespace {

enum class With { kAll, kBare, kFull };

With WithOf(const ArchiveQuery& query) {
  if (query.with.empty()) return With::kAll;
  return query.with.HasResource() ? With::kFull : With::kBare;
}

// Both exclusive.
struct Range {
  int64_t above = 0, below = 0;
  void After(int64_t id) { above = std::max(above, id); }
  void Before(int64_t id) { below = std::min(below, id); }
  bool Holds(int64_t id) const { return id > above && id < below; }
};

// ---- SQL: one text for each combination, made once; the plan is told, not left to statistics ----

using Engine = SqlConnection::Engine;

// ?1 < id < ?2, ?3 archive, ?4 and ?5 the contact's address, ?6 limit, ?7 words.
std::string FromWhere(Engine engine, bool text, With with) {
  std::string sql;
  if (text && engine == Engine::kSqlite) {
    sql =
        "archive_text t CROSS JOIN archive_row r ON r.id = t.rowid "
        "WHERE t.archive_text MATCH ?7 AND t.rowid > ?1 AND t.rowid < ?2";
  } else if (text) {
    sql =
        "archive_text t JOIN archive_row r ON r.id = t.id "
        "WHERE t.words @> string_to_array(?7, chr(31)) AND t.id > ?1 AND t.id < ?2";
  } else if (with == With::kAll) {
    sql = "archive_row r WHERE r.id > ?1 AND r.id < ?2";
  } else {
    sql = "archive_row r INDEXED BY archive_row_with WHERE r.id > ?1 AND r.id < ?2";
  }
  if (with != With::kAll) sql += " AND r.archive = ?3 AND r.with_bare = ?4";
  if (with == With::kFull) sql += " AND r.with_resource = ?5";
  return sql + " AND r.hidden = 0";
}

struct Statement {
  std::string forward, backward, count;
};

Statement MakeStatement(Engine engine, bool text, With with) {
  const std::string from = FromWhere(engine, text, with);
  const std::string number = !text ? "r.id" : engine == Engine::kSqlite ? "t.rowid" : "t.id";
  const std::string page = "SELECT " ARCHIVE_ROW_COLUMNS " FROM " + from + " ORDER BY " + number;
  return {.forward = page + " LIMIT ?6",
          .backward = page + " DESC LIMIT ?6",
          .count = "SELECT count(*) FROM (SELECT 1 FROM " + from + " LIMIT ?6) AS found"};
}

const Statement& StatementFor(Engine engine, bool text, With with) {
  static const auto all = [] {
    std::array<Statement, 12> statements;
    for (unsigned i = 0; i < statements.size(); ++i) {
      statements[i] = MakeStatement(i >= 6 ? Engine::kPostgres : Engine::kSqlite, i % 6 >= 3,
                                    static_cast<With>(i % 3));
    }
    return statements;
  }();
  return all[(engine == Engine::kPostgres ? 6u : 0u) + (text ? 3u : 0u) +
             static_cast<unsigned>(with)];
}

class Search {
 public:
  Search(SqlConnection& connection, const ArchiveRecord& archive, const ArchiveQuery& query)
      : connection_(connection),
        archive_(archive),
        query_(query),
        words_(ArchiveTextOf(connection).words(archive.id, query.text, query.with.BareView())),
        range_{.above = archive.RowId(0), .below = archive.RowId(archive.position) + 1} {}

  Result<ArchivePage> Run() {
    if (!NarrowById(query_.after_id, &Range::After) ||
        !NarrowById(query_.before_id, &Range::Before) || !NarrowByTime()) {
      return Ended();
    }
    if (!query_.text.empty() && words_.empty()) {
      page_.complete = true;
      page_.count = 0;
      return Ended();
    }
    if (!query_.ids.empty()) return FindIds();
    if (query_.count_up_to > 0 && !Count()) return Ended();
    if (!NarrowById(query_.anchor, query_.backward ? &Range::Before : &Range::After)) {
      return Ended();
    }
    if (query_.max > 0) ReadPage();
    return Ended();
  }

 private:
  Result<ArchivePage> Ended() {
    if (error_) return std::move(*error_);
    return std::move(page_);
  }
  bool Failed() {
    error_ = connection_.LastError();
    return false;
  }

  bool NarrowById(const std::optional<ArchiveId>& id, void (Range::*narrow)(int64_t)) {
    if (!id) return true;
    const auto row = FindArchiveRow(connection_, archive_, *id);
    if (!row) return Failed();
    if (!*row) {
      page_.item_not_found = true;
      return false;
    }
    (range_.*narrow)(**row);
    return true;
  }

  bool NarrowByTime() {
    if (query_.start_ms) {
      const std::optional<int64_t> first = FirstAt(*query_.start_ms);
      if (!first) return false;
      range_.After(*first - 1);
    }
    if (query_.end_ms && *query_.end_ms < INT64_MAX) {
      const std::optional<int64_t> behind = FirstAt(*query_.end_ms + 1);
      if (!behind) return false;
      range_.Before(*behind);
    }
    return true;
  }

  // The id from which on every row's stamp is >= `stamp`. Stamps ascend with positions (R12): a
  // search by halves over the rows spares an index that each insert would have to keep.
  std::optional<int64_t> FirstAt(int64_t stamp) {
    int64_t low = archive_.RowId(1), high = archive_.RowId(archive_.position) + 1;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      SqlQuery row =
          connection_.Query("SELECT id, stamp FROM archive_row WHERE id >= ?1 AND id < ?2 LIMIT 1")
              .Bind(1, middle)
              .Bind(2, high);
      if (row.Step() && row.Int(1) < stamp) {
        low = row.Int(0) + 1;
      } else if (row.ok()) {
        high = middle;
      } else {
        Failed();
        return std::nullopt;
      }
    }
    return low;
  }

  // Parameters that a text does not use may be bound all the same, up to its highest: the limit.
  SqlQuery Bound(const std::string& sql, int64_t limit) {
    SqlQuery query = connection_.Query(sql)
                         .Bind(1, range_.above)
                         .Bind(2, range_.below)
                         .Bind(3, archive_.id)
                         .Bind(4, query_.with.BareView())
                         .Bind(5, query_.with.resource())
                         .Bind(6, limit);
    if (words_.empty()) return query;
    return std::move(query).Bind(7, words_);
  }
  const Statement& Sql() const {
    return StatementFor(connection_.engine(), !words_.empty(), WithOf(query_));
  }

  bool Count() {
    SqlQuery row = Bound(Sql().count, int64_t{query_.count_up_to} + 1);
    if (!row.Step()) return Failed();
    if (row.Int(0) <= int64_t{query_.count_up_to}) {
      page_.count = static_cast<uint32_t>(row.Int(0));
    }
    return true;
  }

  bool ReadPage() {
    SqlQuery row = Bound(query_.backward ? Sql().backward : Sql().forward, int64_t{query_.max} + 1);
    while (row.Step()) page_.rows.push_back(ReadArchiveRow(row));
    if (!row.ok()) return Failed();
    page_.complete = page_.rows.size() <= query_.max;
    if (!page_.complete) page_.rows.pop_back();
    if (query_.backward != query_.flip) std::reverse(page_.rows.begin(), page_.rows.end());
    return true;
  }

  // Few, and known: each is fetched, and what passes the filters is paged in memory.
  Result<ArchivePage> FindIds() {
    const auto found = FindArchiveRows(connection_, archive_, query_.ids);
    if (!found) return found.error();
    std::vector<int64_t> named;
    for (const std::optional<int64_t>& row : *found) {
      if (!row) {
        page_.item_not_found = true;
        return Ended();
      }
      if (range_.Holds(*row)) named.push_back(*row);
    }
    std::sort(named.begin(), named.end());
    named.erase(std::unique(named.begin(), named.end()), named.end());
    // Neighbours, as most are, by one query.
    for (auto first = named.begin(), last = first; first != named.end(); first = last) {
      for (++last; last != named.end() && *last == *(last - 1) + 1;) ++last;
      range_ = {.above = *first - 1, .below = *(last - 1) + 1};
      SqlQuery row = Bound(Sql().forward, last - first);
      while (row.Step()) page_.rows.push_back(ReadArchiveRow(row));
      if (!row.ok()) return connection_.LastError();
    }
    if (query_.count_up_to > 0) page_.count = static_cast<uint32_t>(page_.rows.size());
    CutPage();
    return Ended();
  }

  // RSM on all rows that there are.
  void CutPage() {
    range_ = {.above = archive_.RowId(0), .below = archive_.RowId(archive_.position) + 1};
    if (!NarrowById(query_.anchor, query_.backward ? &Range::Before : &Range::After)) {
      page_.rows.clear();
      return;
    }
    auto& rows = page_.rows;
    std::erase_if(rows, [this](const ArchiveRow& row) {
      return !range_.Holds(archive_.RowId(row.position));
    });
    page_.complete = rows.size() <= query_.max;
    if (!page_.complete && query_.backward) {
      rows.erase(rows.begin(), rows.end() - query_.max);
    } else if (!page_.complete) {
      rows.resize(query_.max);
    }
    if (query_.flip) std::reverse(rows.begin(), rows.end());
  }

  SqlConnection& connection_;
  const ArchiveRecord& archive_;
  const ArchiveQuery& query_;
  const std::string words_;
  Range range_;
  ArchivePage page_;
  std::optional<Error> error_;
};

}  // namespace

std::vector<std::string> ArchiveQueryStatements(SqlConnection::Engine engine) {
  std::vector<std::string> all;
  for (const bool text : {false, true}) {
    for (const With with : {With::kAll, With::kBare, With::kFull}) {
      const Statement& statement = StatementFor(engine, text, with);
      all.insert(all.end(), {statement.forward, statement.backward, statement.count});
    }
  }
  return all;
}

Result<ArchivePage> QueryArchive(SqlConnection& connection, std::string_view owner,
                                 const ArchiveQuery& query) {
  if (query.max > kArchivePage || query.ids.size() > kArchivePage) {
    return Error::Failed("a page of the archive has at most 250 rows");
  }
  const auto archive = FindArchive(connection, owner);
  if (!archive) return archive.error();
  if (!*archive) {
    ArchivePage page{.complete = true};
    page.item_not_found = query.after_id || query.before_id || query.anchor || !query.ids.empty();
    if (query.count_up_to > 0) page.count = 0;
    return page;
  }
  return Search(connection, **archive, query).Run();
}

}  // namespace business
