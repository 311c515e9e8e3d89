// What PostgreSQL does when its server, its connections or others' locks do not behave.
#include <atomic>
#include <map>

#include "business/store/archive_words.h"
#include "business/store/postgres_database.h"
#include "business/store/postgres_schema.h"
#include "business/store/sql_archive_rows.h"
#include "business/store/store.h"
#include "business/store/store_inspection.h"
#include "tests/business/store/account_rows.h"
#include "tests/business/store/postgres_server.h"
#include "tests/business/store/store_contract.h"

namespace business {
namespace {

using runtime::ErrorKind;
using runtime::Result;

class Postgres : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override { url_ = server_->FreshUrl(); }
  void TearDown() override {
    database_.reset();
    loops_.StopAndJoin();
  }
  runtime::EventLoop& loop() { return loops_.at(0); }
  void Open(PostgresDatabase::Options options = {}) {
    options.url = url_;
    auto opened = PostgresDatabase::Open(options);
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }
  std::unique_ptr<PostgresConnection> Connect() {
    auto opened = PostgresConnection::Open({.url = url_});
    CHECK(opened.has_value());
    return std::move(*opened);
  }
  auto Start(StoreWork<int> work, StoreOwners owners = {}) {
    auto shared = std::make_shared<StoreWork<int>>(std::move(work));
    return StartOn(loop(), [this, shared, owners] {
      return database_->Write<int>(&loop(), owners, std::move(*shared));
    });
  }
  auto StartPut(int number) { return Start(Put(number)); }
  Result<int> PutOne(int number) {
    auto written = StartPut(number);
    return written.get();
  }
  int64_t Rows() {
    return *RunOn(loop(), [this] { return database_->Read<int64_t>(&loop(), Count()); });
  }

  static PostgresServer* server_;
  std::string url_;
  runtime::LoopGroup loops_{"test", 1};
  std::unique_ptr<PostgresDatabase> database_;
};

PostgresServer* Postgres::server_ = nullptr;

TEST_F(Postgres, PutsManyWritesIntoFewTransactions) {
  Open();
  std::vector<std::future<Result<int>>> writes;
  for (int i = 0; i < 1000; ++i) writes.push_back(StartPut(i));
  for (auto& write : writes) EXPECT_TRUE(write.get());
  EXPECT_EQ(Rows(), 1000);
  EXPECT_EQ(database_->stats().operations, 1000u);
  EXPECT_LT(database_->stats().commits, 100u);
}

TEST_F(Postgres, UndoesOnlyTheOperationThatFails) {
  Open();
  std::vector<std::future<Result<int>>> good, bad;
  for (int i = 0; i < 50; ++i) {
    good.push_back(StartPut(i));
    bad.push_back(Start([i](SqlConnection& connection) -> Result<int> {
      Result<int> half = Put(1000 + i)(connection);
      if (!half) return half.error();
      // Half of them by an error of SQL, half by their own decision.
      if (i % 2 == 0) return runtime::Error::Failed("changed its mind");
      if (!connection.Query("INSERT INTO nowhere VALUES (1)").Run()) return connection.LastError();
      return 0;
    }));
  }
  for (auto& write : good) EXPECT_TRUE(write.get());
  for (auto& write : bad) {
    const auto result = write.get();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kFailed);
  }
  EXPECT_EQ(Rows(), 50);
}

TEST_F(Postgres, SaysInASentenceWhyItCannotBeOpened) {
  const auto error = [](const std::string& url) {
    auto store = Store::Open({.url = url});
    return store ? std::string() : store.error().message;
  };
  EXPECT_NE(error("postgresql://me:secret@db/xylem").find("password_file"), std::string::npos);
  EXPECT_NE(error("postgresql://db/xylem?password=x").find("password_file"), std::string::npos);
  std::string nobody = url_;
  nobody.replace(nobody.find("xylem@"), 6, "nobody@");
  EXPECT_NE(error(nobody).find("nobody"), std::string::npos);
}

TEST_F(Postgres, MigratesOnceWhenManyServersStartAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      auto store = Store::Open({.url = url_});
      opened += store.has_value();
      if (!store) ADD_FAILURE() << store.error().message;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(opened, 8);
}

TEST_F(Postgres, RefusesADatabaseOfSomebodyElseAndOfAMuchNewerRelease) {
  ASSERT_TRUE(Connect()->Execute("CREATE TABLE songs (name text)"));
  auto theirs = Store::Open({.url = url_});
  ASSERT_FALSE(theirs);
  EXPECT_NE(theirs.error().message.find("not a store of Xylem"), std::string::npos);
  ASSERT_TRUE(Connect()->Execute("DROP TABLE songs"));
  ASSERT_TRUE(Store::Open({.url = url_}));
  const int newest = PostgresMigrations().back().version;
  const auto set = [&](int version) {
    return Connect()->Execute("UPDATE xylem_schema SET version = " + std::to_string(version));
  };
  ASSERT_TRUE(set(newest + 1));
  EXPECT_TRUE(Store::Open({.url = url_}));
  ASSERT_TRUE(set(newest + 2));
  EXPECT_FALSE(Store::Open({.url = url_}));
}

// The writer of a role that may not make tables.
TEST_F(Postgres, RunsUnderARoleThatOnlyReadsAndWritesRows) {
  { ASSERT_TRUE(Store::Open({.url = url_})); }
  const std::string schema = url_.substr(url_.find("%3D") + 3);
  ASSERT_TRUE(Connect()->Execute("CREATE ROLE servant LOGIN; GRANT USAGE ON SCHEMA " + schema +
                                 " TO servant;"
                                 "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " +
                                 schema + " TO servant"));
  url_.replace(url_.find("xylem@"), 6, "servant@");
  Open();
  const auto written = PutOne(1);
  EXPECT_TRUE(written) << written.error().message;
}

// R12 and R4: servers die and come back under load; what was answered is there, once.
TEST_F(Postgres, LosesNothingThatWasAnsweredWhenTheServerDies) {
  Open();
  std::map<int, bool> answered;
  int next = 0;
  for (int round = 0; round < 6; ++round) {
    std::vector<std::pair<int, std::future<Result<int>>>> writes;
    for (int i = 0; i < 300; ++i, ++next) writes.emplace_back(next, StartPut(next));
    for (int i = 0; i < 40; ++i)
      (void)writes[static_cast<size_t>(i)].second.wait_for(std::chrono::milliseconds(5));
    server_->Stop(round % 2 == 0 ? SIGQUIT : SIGKILL);
    server_->Start();
    for (auto& [number, write] : writes) {
      const auto result = write.get();
      // Those whose COMMIT had no answer were looked up: no outcome is unknown, nothing ran twice.
      EXPECT_TRUE(result) << number << ": " << result.error().message;
      answered[number] = result.has_value();
    }
  }
  EXPECT_EQ(Rows(), next);
  EXPECT_GE(database_->stats().repeated + database_->stats().read_back, 1u);
  EXPECT_EQ(database_->stats().unknown, 0u);
}

// Ends the writer's connection in the middle of its COMMIT: the server may or may not have heard.
TEST_F(Postgres, FindsOutWhatBecameOfACommitWithoutAnAnswer) {
  Open();
  ASSERT_TRUE(PutOne(0));
  auto other = Connect();
  int next = 1;
  for (int round = 0; round < 300 && database_->stats().read_back < 3; ++round) {
    std::vector<std::future<Result<int>>> writes;
    for (int i = 0; i < 20; ++i) writes.push_back(StartPut(next++));
    // Sooner or later than the COMMIT, and now and then in the middle of it.
    (void)writes[0].wait_for(std::chrono::microseconds(500 * (round % 12)));
    ASSERT_TRUE(
        other->Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE application_name LIKE 'xylem-write-%'"));
    for (auto& write : writes) {
      const auto result = write.get();
      ASSERT_TRUE(result) << result.error().message;
    }
  }
  EXPECT_EQ(Rows(), next);
  EXPECT_GE(database_->stats().read_back, 1u);
}

TEST_F(Postgres, CallsACommitUnknownThatNobodyCanBeAskedAbout) {
  PostgresDatabase::Options options;
  options.read_back = std::chrono::milliseconds(100);
  Open(options);
  ASSERT_TRUE(PutOne(1));
  // COMMIT waits for a lock that a trigger asks for at its end, and the server goes away meanwhile.
  auto other = Connect();
  ASSERT_TRUE(other->Execute(
      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;"
      "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON account DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION wait()"));
  auto write = StartPut(2);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < until) {
    SqlQuery row = other->Query(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = 'COMMIT'");
    if (row.Step() && row.Int(0) == 1) break;
  }
  other.reset();
  server_->Stop(SIGQUIT);
  const auto result = write.get();
  server_->Start();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUnknown) << result.error().message;
  EXPECT_EQ(database_->stats().unknown, 1u);
  ASSERT_TRUE(Connect()->Execute("DROP FUNCTION wait CASCADE"));
  EXPECT_TRUE(PutOne(3));
}

// A table that somebody keeps locked stops writers, and readers of other tables not.
TEST_F(Postgres, WaitsForATableThatIsLockedAndReadsOthersMeanwhile) {
  PostgresDatabase::Options options;
  options.lock_limit = std::chrono::milliseconds(100);
  Open(options);
  auto other = Connect();
  ASSERT_TRUE(other->Execute("BEGIN; LOCK TABLE credential IN ACCESS EXCLUSIVE MODE"));
  auto write = Start([](SqlConnection& connection) -> Result<int> {
    if (!connection.Query("DELETE FROM credential").Run()) return connection.LastError();
    return 1;
  });
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (database_->stats().repeated < 2 && std::chrono::steady_clock::now() < until) {
    EXPECT_EQ(Rows(), 0);
  }
  EXPECT_GE(database_->stats().repeated, 2u);
  ASSERT_TRUE(other->Execute("COMMIT"));
  EXPECT_TRUE(write.get());
}

TEST_F(Postgres, GoesOnForOthersWhileOneOwnerIsLocked) {
  PostgresDatabase::Options options;
  options.lock_limit = std::chrono::milliseconds(100);
  Open(options);
  ASSERT_TRUE(PutOne(1));
  ASSERT_TRUE(PutOne(2));
  auto other = Connect();
  ASSERT_TRUE(other->Execute("BEGIN; SELECT 1 FROM owner WHERE jid = 'u1' FOR UPDATE"));
  std::vector<int> order;
  const auto note = [&order](int number) {
    return [&order, number](SqlConnection& connection) -> Result<int> {
      if (!connection.Query("SELECT 1").Run()) return connection.LastError();
      order.push_back(number);
      return number;
    };
  };
  auto stuck = Start(note(1), {"u1"});
  auto both = Start(note(2), {"u2", "u1"});  // behind it, for one of its owners
  auto free = Start(note(3), {"u3"});
  EXPECT_TRUE(free.get());
  EXPECT_EQ(stuck.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
  ASSERT_TRUE(other->Execute("COMMIT"));
  EXPECT_TRUE(stuck.get());
  EXPECT_TRUE(both.get());
  EXPECT_EQ(order, (std::vector<int>{3, 1, 2}));
}

// Two servers write for the same owners, in whatever order: nobody deadlocks, nothing is lost.
TEST_F(Postgres, LetsTwoServersWriteForTheSameAccounts) {
  Open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(PutOne(i));
  auto second = PostgresDatabase::Open({.url = url_});
  ASSERT_TRUE(second);
  std::vector<std::future<Result<int>>> writes;
  for (int i = 0; i < 600; ++i) {
    PostgresDatabase* database = i % 2 == 0 ? database_.get() : second->get();
    const std::string a = "u" + std::to_string(i % 10), b = "u" + std::to_string((i * 7 + 3) % 10);
    writes.push_back(StartOn(loop(), [this, database, a, b] {
      StoreWork<int> work = [a, b](SqlConnection& connection) -> Result<int> {
        for (const std::string& jid : {a, b}) {
          if (!connection.Query("UPDATE account SET created = created + 1 WHERE jid = ?1")
                   .Bind(1, jid)
                   .Run()) {
            return connection.LastError();
          }
        }
        return 0;
      };
      StoreOwners owners = {a, b};
      return database->Write<int>(&loop(), std::move(owners), std::move(work));
    }));
  }
  for (auto& write : writes) EXPECT_TRUE(write.get());
  EXPECT_EQ(database_->stats().repeated + (*second)->stats().repeated, 0u);
  auto connection = Connect();
  SqlQuery sum = connection->Query("SELECT CAST(sum(created) AS BIGINT) FROM account");
  ASSERT_TRUE(sum.Step());
  EXPECT_EQ(sum.Int(0), 1200);
  second->reset();
}

TEST_F(Postgres, EndsAReadThatTakesTooLong) {
  PostgresDatabase::Options options;
  options.read_limit = std::chrono::milliseconds(200);
  Open(options);
  const auto slow = RunOn(loop(), [this] {
    StoreWork<int> work = [](SqlConnection& connection) -> Result<int> {
      if (!connection.Query("SELECT pg_sleep(30)").Run()) return connection.LastError();
      return 0;
    };
    return database_->Read<int>(&loop(), std::move(work));
  });
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(Rows(), 0);
}

// Pages of archives walk an index in order, as on SQLite.
TEST_F(Postgres, FindsPagesOfArchivesByIndex) {
  Open();
  auto connection = Connect();
  for (std::string sql : ArchiveQueryStatements(SqlConnection::Engine::kPostgres)) {
    if (sql.find("archive_text") != std::string::npos) continue;
    // As the generic plan: with numbers in place of parameters.
    for (const auto& [parameter, value] :
         std::map<std::string, std::string>{{"?1", "68719476736"},
                                            {"?2", "137438953472"},
                                            {"?3", "1"},
                                            {"?4", "'a'"},
                                            {"?5", "'b'"},
                                            {"?6", "50"},
                                            {" INDEXED BY archive_row_with", ""}}) {
      for (size_t at = sql.find(parameter); at != std::string::npos; at = sql.find(parameter)) {
        sql.replace(at, parameter.size(), value);
      }
    }
    const std::string explain = "EXPLAIN " + sql;
    SqlQuery row = connection->Query(explain);
    std::string plan;
    while (row.Step()) plan += row.Text(0) + "\n";
    EXPECT_TRUE(row.ok()) << sql << connection->LastError().message;
    EXPECT_EQ(plan.find("Seq Scan"), std::string::npos) << plan;
    EXPECT_EQ(plan.find("Sort"), std::string::npos) << plan;
  }
}

TEST(ArchiveWords, KnowNeitherCaseNorMarks) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(WordsOf("It is the EAST, and it IS."), (Words{"and", "east", "is", "it", "the"}));
  EXPECT_EQ(WordsOf("Übermütig süße"), (Words{"susse", "ubermutig"}));
  EXPECT_EQ(WordsOf("привет, Мир 42"), (Words{"42", "мир", "привет"}));
  EXPECT_EQ(WordsOf(" -- ! \x1f"), Words{});
}

// `xylemctl store check` and `migrate`
TEST_F(Postgres, SaysWhatIsWrongWithADatabase) {
  const PostgresConnection::Options options{.url = url_};
  EXPECT_EQ(InspectPostgres(options)->schema, 0);
  const auto made = MigratePostgresStore(options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->before, 0);
  EXPECT_EQ(made->after, PostgresMigrations().back().version);
  EXPECT_EQ(MigratePostgresStore(options)->before, made->after);
  EXPECT_EQ(InspectPostgres(options)->faults, std::vector<std::string>());
  ASSERT_TRUE(Connect()->Execute(
      "INSERT INTO account VALUES ('romeo@localhost', 'localhost', 0, 0, 0);"
      "INSERT INTO archive (owner, position, stamp, mark, indexed) "
      "SELECT id, 7, 0, 9, 0 FROM owner;"
      "INSERT INTO roster_item SELECT id, 'juliet@localhost', 3, 0, '', 0, 0, 0, '' FROM owner"));
  EXPECT_EQ(InspectPostgres(options)->faults,
            (std::vector<std::string>{
                "account romeo@localhost has no keys: nobody can log in to it",
                "the roster of romeo@localhost is older than its contact juliet@localhost",
                "archive 1 is confirmed beyond its newest position"}));
  ASSERT_TRUE(Connect()->Execute("UPDATE xylem_schema SET version = 9"));
  EXPECT_FALSE(MigratePostgresStore(options));
  EXPECT_EQ(InspectPostgres({.url = "postgresql://nobody@127.0.0.1:1/x"}).error().kind,
            ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace business
