#include "business/store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>

#include "business/store/sql_archive_rows.h"
#include "business/store/sqlite_schema.h"
#include "business/store/store.h"
#include "business/store/store_inspection.h"
#include "tests/business/store/store_fixture.h"

namespace business {
namespace {

std::string OpenError(const std::string& url) {
  auto store = Store::Open({.url = url});
  return store ? "" : store.error().message;
}

TEST(Store, RefusesUrlsItDoesNotKnowInASentence) {
  EXPECT_NE(OpenError("postgresql://me:secret@db/xylem").find("password_file"), std::string::npos);
  EXPECT_NE(OpenError("mysql://db").find("sqlite:PATH"), std::string::npos);
  EXPECT_NE(OpenError("sqlite:").find("path"), std::string::npos);
  EXPECT_NE(OpenError("sqlite:/nonexistent/folder/x.db").find("/nonexistent"), std::string::npos);
}

TEST(Store, IsReadableByItsOwnerOnly) {
  TempDir dir;
  ASSERT_EQ(OpenError("sqlite:" + dir.File("x.db")), "");
  struct stat info {};
  ASSERT_EQ(stat(dir.File("x.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Migrations, RefuseAStoreOfAMuchNewerRelease) {
  TempDir dir;
  {
    auto made = Store::Open({.url = "sqlite:" + dir.File("x.db")});
    ASSERT_TRUE(made);
  }
  auto connection = SqliteConnection::Open({.path = dir.File("x.db")});
  ASSERT_TRUE((*connection)->Execute("PRAGMA user_version=999"));
  connection->reset();
  EXPECT_NE(OpenError("sqlite:" + dir.File("x.db")).find("schema version 999"), std::string::npos);
}

// Version N runs on schema N-1 to N+1.
TEST(Migrations, RunOnASchemaOneVersionAhead) {
  TempDir dir;
  ASSERT_EQ(OpenError("sqlite:" + dir.File("x.db")), "");
  auto connection = SqliteConnection::Open({.path = dir.File("x.db")});
  const int next = StoreMigrations().back().version + 1;
  ASSERT_TRUE((*connection)->Execute("PRAGMA user_version=" + std::to_string(next)));
  connection->reset();
  EXPECT_EQ(OpenError("sqlite:" + dir.File("x.db")), "");
}

TEST(Migrations, RefuseADatabaseOfSomebodyElse) {
  TempDir dir;
  {
    auto connection = SqliteConnection::Open({.path = dir.File("x.db")});
    ASSERT_TRUE((*connection)->Execute("CREATE TABLE songs (name TEXT)"));
  }
  EXPECT_NE(OpenError("sqlite:" + dir.File("x.db")).find("not a store of Xylem"),
            std::string::npos);
}

// What the release before has written, and what it writes while both run.
TEST(Migrations, TakeAStoreOfSchemaOneWithItsAccounts) {
  TempDir dir;
  const std::string path = dir.File("x.db");
  {
    auto connection = SqliteConnection::Open({.path = path});
    ASSERT_TRUE(Migrate(**connection, {StoreMigrations().at(0)}));
    ASSERT_TRUE((*connection)
                    ->Execute("INSERT INTO account VALUES ('juliet@example.com', 'example.com', 1, "
                              "2, 1); INSERT INTO credential VALUES ('juliet@example.com', "
                              "'SHA-256', 4096, x'00', x'01', x'02'); "
                              "UPDATE cluster_state SET generation = 7, fingerprint = 'f'"));
  }
  runtime::LoopGroup loops("test", 1);
  runtime::EventLoop& loop = loops.at(0);
  auto store = Store::Open({.url = "sqlite:" + path});
  ASSERT_TRUE(store) << store.error().message;
  {
    auto accounts = (*store)->Accounts(&loop);
    auto offline = (*store)->Offline(&loop);
    auto generations = (*store)->Generations(&loop);
    const auto juliet = xmpp::BareJid::FromNormalized("juliet@example.com");
    const auto romeo = xmpp::BareJid::FromNormalized("romeo@example.com");
    const auto found = *RunOn(loop, [&] { return accounts->Find(juliet); });
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->locked);
    EXPECT_EQ(found->keys.size(), 1u);
    EXPECT_EQ(RunOn(loop, [&] { return generations->Read(); })->generation, 7u);
    const OfflineMessage message{.effect = "e", .bytes = "x"};
    const auto add = [&](const xmpp::BareJid& jid) {
      return *RunOn(loop, [&] { return offline->Add(jid, message, {}); });
    };
    EXPECT_EQ(add(juliet), OfflineStore::Append::kDone);
    EXPECT_EQ(add(romeo), OfflineStore::Append::kNoOwner);

    auto before = SqliteConnection::Open({.path = path});
    ASSERT_TRUE((*before)->Execute(
        "INSERT INTO account VALUES ('romeo@example.com', 'example.com', 1, 2, 0) "
        "ON CONFLICT DO NOTHING"));
    EXPECT_EQ((*before)->Changes(), 1);
    ASSERT_TRUE((*before)->Execute(
        "INSERT INTO credential VALUES ('romeo@example.com', 'SHA-256', 4096, x'00', x'01', x'02')"));
    EXPECT_EQ(add(romeo), OfflineStore::Append::kDone);
    ASSERT_TRUE((*before)->Execute("DELETE FROM account WHERE jid = 'juliet@example.com'"));
    EXPECT_EQ((*before)->Changes(), 1);
    EXPECT_EQ(RunOn(loop, [&] { return offline->Count(juliet); })->messages, 0u);
    EXPECT_EQ(RunOn(loop, [&] { return offline->Count(romeo); })->messages, 1u);
    EXPECT_EQ(RunOn(loop, [&] { return (*store)->Check(&loop); })->faults, std::vector<std::string>());
  }
  store->reset();
  loops.StopAndJoin();
}

// A page of an archive costs what is on it, however long the archive: rows are found by number, in
// order, never by looking through a table or sorting.
TEST(ArchivePlans, WalkAnIndexInOrder) {
  TempDir dir;
  ASSERT_EQ(OpenError("sqlite:" + dir.File("x.db")), "");
  auto connection = SqliteConnection::Open({.path = dir.File("x.db"), .read_only = true});
  ASSERT_TRUE(connection);
  const auto statements = ArchiveQueryStatements(SqlConnection::Engine::kSqlite);
  EXPECT_EQ(statements.size(), 18u);
  for (const std::string& sql : statements) {
    const std::string explain = "EXPLAIN QUERY PLAN " + sql;
    SqlQuery row = (*connection)->Query(explain);
    bool searches = false;
    while (row.Step()) {
      const std::string step = row.Text(3);
      searches = searches || step.starts_with("SEARCH r USING");
      const bool fine = step.starts_with("SEARCH r USING") ||
                        step.starts_with("SCAN t VIRTUAL TABLE INDEX") ||  // FTS5 by its words
                        step.starts_with("SCAN found") ||  // of a count: ends at its limit
                        step.starts_with("CO-ROUTINE found");
      EXPECT_TRUE(fine) << step << "\n" << sql;
    }
    EXPECT_TRUE(row.ok()) << sql;
    EXPECT_TRUE(searches) << sql;
  }
}

// Several statements of one read see one moment, also while others write.
TEST(Reading, IsOfOneMoment) {
  TempDir dir;
  auto database = SqliteDatabase::Open({.path = dir.File("x.db")});
  ASSERT_TRUE(database);
  auto writer = SqliteConnection::Open({.path = dir.File("x.db")});
  runtime::LoopGroup loops("test", 1);
  const auto counts = RunOn(loops.at(0), [&] {
    StoreWork<std::pair<int64_t, int64_t>> work =
        [&](SqlConnection& connection) -> runtime::Result<std::pair<int64_t, int64_t>> {
      const auto count = [&connection] {
        SqlQuery row = connection.Query("SELECT count(*) FROM account");
        return row.Step() ? row.Int(0) : -1;
      };
      const int64_t before = count();
      if (!(*writer)->Execute("INSERT INTO account VALUES ('a@b', 'b', 0, 0, 0)")) {
        return (*writer)->LastError();
      }
      return std::pair(before, count());
    };
    return (*database)->Read<std::pair<int64_t, int64_t>>(&loops.at(0), std::move(work));
  });
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->first, 0);
  EXPECT_EQ(counts->second, 0);
  writer->reset();
  database->reset();
  loops.StopAndJoin();
}

// tests/attacks, row 39: one reader serves everybody.
TEST(ReadBudget, EndsAReadThatLooksThroughTooMuch) {
  TempDir dir;
  auto database = SqliteDatabase::Open({.path = dir.File("x.db")});
  ASSERT_TRUE(database);
  runtime::LoopGroup loops("test", 1);
  const auto count_to = [&](int64_t number) {
    return RunOn(loops.at(0), [&] {
      StoreWork<int64_t> work = [number](SqlConnection& connection) -> runtime::Result<int64_t> {
        SqlQuery row = connection
                           .Query(
                               "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n "
                               "WHERE x < ?1) SELECT count(*) FROM n")
                           .Bind(1, number);
        if (row.Step()) return row.Int(0);
        return connection.LastError();
      };
      return (*database)->Read<int64_t>(&loops.at(0), std::move(work));
    });
  };
  const auto endless = count_to(INT64_MAX);
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().kind, runtime::ErrorKind::kUnavailable);
  const auto small = count_to(100000);
  ASSERT_TRUE(small) << small.error().message;
  EXPECT_EQ(*small, 100000);
  database->reset();
  loops.StopAndJoin();
}

TEST(Migrations, GoThroughEachStepOnceAndUndoOneThatFails) {
  TempDir dir;
  auto opened = SqliteConnection::Open({.path = dir.File("x.db")});
  ASSERT_TRUE(opened);
  SqliteConnection& connection = **opened;
  const std::vector<Migration> first = {{1, "CREATE TABLE a (x INTEGER)"}};
  const std::vector<Migration> broken = {first[0],
                                         {2, "CREATE TABLE b (x INTEGER); CREATE TABLE a (x)"}};
  const std::vector<Migration> second = {first[0], {2, "ALTER TABLE a ADD COLUMN y INTEGER"}};
  EXPECT_TRUE(Migrate(connection, first));
  EXPECT_TRUE(Migrate(connection, first));
  EXPECT_TRUE(connection.Execute("INSERT INTO a VALUES (7)"));
  const auto refused = Migrate(connection, broken);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("schema version 2"), std::string::npos);
  EXPECT_FALSE(connection.Execute("SELECT * FROM b"));
  EXPECT_TRUE(Migrate(connection, second));
  SqlQuery row = connection.Query("SELECT x, y FROM a");
  ASSERT_TRUE(row.Step());
  EXPECT_EQ(row.Int(0), 7);
  EXPECT_TRUE(row.IsNull(1));
}

// `xylemctl store check`
TEST(StoreInspection, SaysWhatIsWrongWithAFile) {
  TempDir dir;
  const std::string path = dir.File("store");
  {
    const auto made = MigrateSqliteStore(path);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->before, 0);
    EXPECT_EQ(made->after, StoreMigrations().back().version);
  }
  EXPECT_EQ(InspectSqlite(path, true)->faults, std::vector<std::string>());
  {
    auto connection = SqliteConnection::Open({.path = path});
    ASSERT_TRUE((*connection)->Execute(
        "INSERT INTO account VALUES ('romeo@localhost', 'localhost', 0, 0, 0);"
        "INSERT INTO archive (owner, position, stamp, mark, indexed) "
        "SELECT id, 7, 0, 9, 0 FROM owner;"
        "INSERT INTO roster_item SELECT id, 'juliet@localhost', 3, 0, '', 0, 0, 0, '' FROM owner"));
  }
  const auto found = InspectSqlite(path, false);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->faults,
            (std::vector<std::string>{
                "account romeo@localhost has no keys: nobody can log in to it",
                "the roster of romeo@localhost is older than its contact juliet@localhost",
                "archive 1 is confirmed beyond its newest position"}));
  // A page that a disk has lost.
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 3);
    file << std::string(4096, 'x');
  }
  const auto damaged = InspectSqlite(path, true);
  ASSERT_TRUE(damaged);
  EXPECT_FALSE(damaged->faults.empty());
}

TEST(StoreInspection, CountsFromTheSchemaOfTheReleaseBefore) {
  TempDir dir;
  const std::string path = dir.File("store");
  {
    auto connection = SqliteConnection::Open({.path = path});
    ASSERT_TRUE(Migrate(**connection, {StoreMigrations().at(0)}));
  }
  EXPECT_EQ(InspectSqlite(path, true)->schema, 1);
  EXPECT_EQ(InspectSqlite(path, true)->faults, std::vector<std::string>());
  EXPECT_EQ(MigrateSqliteStore(path)->before, 1);
  EXPECT_EQ(MigrateSqliteStore(path)->before, StoreMigrations().back().version);
  {
    auto connection = SqliteConnection::Open({.path = path});
    ASSERT_TRUE((*connection)->Execute("PRAGMA user_version = 9"));
  }
  EXPECT_EQ(InspectSqlite(path, false)->faults.size(), 1u);
  const auto refused = MigrateSqliteStore(path);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("schema version 9"), std::string::npos);
}

}  // namespace
}  // namespace business
