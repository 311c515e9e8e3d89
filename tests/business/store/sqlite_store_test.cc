#include "business/store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "business/store/sqlite_schema.h"
#include "business/store/store.h"
#include "tests/business/store/store_fixture.h"

namespace business {
namespace {

std::string OpenError(const std::string& url) {
  auto store = Store::Open({.url = url});
  return store ? "" : store.error().message;
}

TEST(Store, RefusesUrlsItDoesNotKnowInASentence) {
  EXPECT_NE(OpenError("postgresql://db/xylem").find("next"), std::string::npos);
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

// Design §7: version N runs on schema N-1 to N+1.
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
  SqliteQuery row = connection.Query("SELECT x, y FROM a");
  ASSERT_TRUE(row.Step());
  EXPECT_EQ(row.Int(0), 7);
  EXPECT_TRUE(row.IsNull(1));
}

}  // namespace
}  // namespace business
