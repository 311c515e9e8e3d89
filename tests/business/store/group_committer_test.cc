#include "business/store/group_committer.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "business/store/sqlite_database.h"
#include "tests/business/store/account_rows.h"
#include "tests/business/store/store_fixture.h"

namespace {
std::atomic<int> failing_syncs{0};
std::atomic<int> syncs{0};
}  // namespace

// Stands before the C library's: how the disk is made to fail.
extern "C" int fdatasync(int fd) {
  ++syncs;
  if (failing_syncs > 0) {
    --failing_syncs;
    errno = EIO;
    return -1;
  }
  static auto* real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "fdatasync"));
  return real(fd);
}

namespace business {
namespace {

using runtime::Error;
using runtime::ErrorKind;
using runtime::Result;

std::unique_ptr<SqliteDatabase> OpenDatabase(const std::string& path,
                                             SqliteDatabase::Options options = {}) {
  options.path = path;
  auto database = SqliteDatabase::Open(options);
  if (!database) {
    ADD_FAILURE() << database.error().message;
    return nullptr;
  }
  return std::move(*database);
}

class GroupCommit : public ::testing::Test {
 protected:
  void TearDown() override {
    failing_syncs = 0;
    database_.reset();
    loops_.StopAndJoin();
  }
  runtime::EventLoop& loop() { return loops_.at(0); }
  auto StartPut(int number) {
    return StartOn(loop(),
                   [this, number] { return database_->Write<int>(&loop(), {}, Put(number)); });
  }
  Result<int> PutOne(int number) {
    auto written = StartPut(number);
    return written.get();
  }
  int64_t Rows() {
    return *RunOn(loop(), [this] { return database_->Read<int64_t>(&loop(), Count()); });
  }

  TempDir dir_;
  runtime::LoopGroup loops_{"test", 1};
  std::unique_ptr<SqliteDatabase> database_;
};

TEST_F(GroupCommit, PutsManyWritesIntoFewTransactions) {
  database_ = OpenDatabase(dir_.File("x.db"));
  std::vector<std::future<Result<int>>> writes;
  for (int i = 0; i < 1000; ++i) writes.push_back(StartPut(i));
  for (auto& write : writes) EXPECT_TRUE(write.get());
  EXPECT_EQ(Rows(), 1000);
  const auto stats = database_->stats();
  EXPECT_EQ(stats.operations, 1000u);
  EXPECT_LT(stats.commits, 100u);
  RecordProperty("commits", static_cast<int>(stats.commits));
}

TEST_F(GroupCommit, UndoesOnlyTheOperationThatFails) {
  database_ = OpenDatabase(dir_.File("x.db"));
  std::vector<std::future<Result<int>>> good, bad;
  for (int i = 0; i < 50; ++i) {
    good.push_back(StartPut(i));
    bad.push_back(StartOn(loop(), [this, i] {
      StoreWork<int> work = [i](SqlConnection& connection) -> Result<int> {
        // Half of it works.
        Result<int> half = Put(1000 + i)(connection);
        if (!half) return half.error();
        if (!connection.Query("INSERT INTO nowhere VALUES (1)").Run()) {
          return connection.LastError();
        }
        return 0;
      };
      return database_->Write<int>(&loop(), {}, std::move(work));
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

TEST_F(GroupCommit, AnswersOnlyAfterASync) {
  database_ = OpenDatabase(dir_.File("x.db"));
  for (int i = 0; i < 5; ++i) {
    const int before = syncs;
    EXPECT_TRUE(PutOne(i));
    EXPECT_GT(syncs, before);
  }
}

TEST_F(GroupCommit, RefusesWhatDoesNotFitIntoTheQueue) {
  SqliteDatabase::Options options;
  options.queue = 10;
  database_ = OpenDatabase(dir_.File("x.db"), options);
  std::vector<std::future<Result<int>>> writes;
  auto go = std::make_shared<std::promise<void>>();
  auto held = std::make_shared<std::promise<void>>();
  // A write that holds the writer until the others have been asked for.
  auto blocker = StartOn(loop(), [this, go, held] {
    StoreWork<int> work = [go, held](SqlConnection&) -> Result<int> {
      held->set_value();
      go->get_future().wait();
      return 0;
    };
    return database_->Write<int>(&loop(), {}, std::move(work));
  });
  held->get_future().wait();
  for (int i = 0; i < 100; ++i) writes.push_back(StartPut(i));
  loops_.RunOn(0, [] {});  // all were submitted
  go->set_value();
  EXPECT_TRUE(blocker.get());
  int done = 0, refused = 0;
  for (auto& write : writes) {
    const auto result = write.get();
    if (result) {
      ++done;
    } else {
      EXPECT_EQ(result.error().kind, ErrorKind::kUnavailable);
      ++refused;
    }
  }
  EXPECT_EQ(done, 10);
  EXPECT_EQ(refused, 90);
  EXPECT_EQ(Rows(), done);
}

// After a failed sync nothing is believed; the file is opened anew.
TEST_F(GroupCommit, CallsAFailedSyncUnknownAndStartsFromACleanOpen) {
  database_ = OpenDatabase(dir_.File("x.db"));
  EXPECT_TRUE(PutOne(1));
  failing_syncs = 1;
  const auto result = PutOne(2);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUnknown);
  EXPECT_TRUE(PutOne(3));
  EXPECT_EQ(database_->stats().reopened, 1u);
  database_.reset();
  // What was answered is there; of 2 nothing was promised.
  database_ = OpenDatabase(dir_.File("x.db"));
  EXPECT_FALSE(PutOne(1));
  EXPECT_FALSE(PutOne(3));
}

TEST_F(GroupCommit, WaitsForAnotherProgramThatHoldsTheFile) {
  SqliteDatabase::Options options;
  options.patience = std::chrono::milliseconds(200);
  database_ = OpenDatabase(dir_.File("x.db"), options);
  auto other = SqliteConnection::Open({.path = dir_.File("x.db")});
  ASSERT_TRUE((*other)->Execute("BEGIN IMMEDIATE"));
  auto overdue = StartPut(1);
  const auto result = overdue.get();  // SQLite's lock is waited for, then the writes are refused
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(Rows(), 0);  // reads go on meanwhile
  ASSERT_TRUE((*other)->Execute("COMMIT"));
  EXPECT_TRUE(PutOne(2));
}

TEST_F(GroupCommit, RefusesWhileTheDiskIsFullAndRecovers) {
  const std::string mount_point = dir_.File("small");
  ASSERT_EQ(mkdir(mount_point.c_str(), 0700), 0);
  if (mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=4m") != 0) {
    GTEST_SKIP() << "NOT TESTED: no tmpfs can be mounted here: " << strerror(errno);
  }
  {
    database_ = OpenDatabase(mount_point + "/x.db");
    EXPECT_TRUE(PutOne(1));
    // Fill it up.
    const std::string ballast = mount_point + "/ballast";
    const int fd = open(ballast.c_str(), O_CREAT | O_WRONLY, 0600);
    const std::string block(4096, 'x');
    while (write(fd, block.data(), block.size()) > 0) {
    }
    close(fd);
    Result<int> result = 0;
    int number = 2;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    int acknowledged = 1;
    while (result && std::chrono::steady_clock::now() < until) {
      result = PutOne(number++);
      if (result) ++acknowledged;
    }
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kUnavailable) << result.error().message;
    EXPECT_NE(result.error().message.find("full"), std::string::npos);
    EXPECT_EQ(Rows(), acknowledged);
    ASSERT_EQ(unlink(ballast.c_str()), 0);
    EXPECT_TRUE(PutOne(100000));
    EXPECT_EQ(Rows(), acknowledged + 1);
    database_.reset();
  }
  umount2(mount_point.c_str(), MNT_DETACH);
}

// --- other processes ------------------------------------------------------------------------

// A child that writes first, first + step … and writes each answered number to `out`.
pid_t StartWriter(const std::string& path, int out, int first, int step, int count) {
  const pid_t child = fork();
  if (child != 0) return child;
  {
    runtime::LoopGroup loops("child", 1);
    auto database = OpenDatabase(path);
    if (database == nullptr) _exit(3);
    std::vector<std::future<Result<int>>> writes;
    const auto start = [&](int number) {
      return StartOn(loops.at(0), [&loops, &database, number] {
        return database->Write<int>(&loops.at(0), {}, Put(number));
      });
    };
    constexpr int kWindow = 8;
    for (int i = 0; i < kWindow && i < count; ++i) writes.push_back(start(first + i * step));
    for (int i = 0; i < count; ++i) {
      const auto result = writes[static_cast<size_t>(i)].get();
      if (!result) _exit(4);
      const int number = *result;
      if (write(out, &number, sizeof number) != sizeof number) _exit(5);
      if (i + kWindow < count) writes.push_back(start(first + (i + kWindow) * step));
    }
    database.reset();
    loops.StopAndJoin();
  }
  _exit(0);
}

std::vector<int> ReadNumbers(int in) {
  std::vector<int> numbers;
  int number = 0;
  while (read(in, &number, sizeof number) == sizeof number) numbers.push_back(number);
  return numbers;
}

// R1 under kill -9: whatever was answered is in the file, and the file is whole.
TEST(CrashSafety, KeepsEverythingThatWasAnswered) {
  TempDir dir;
  const std::string path = dir.File("x.db");
  int next = 0;
  for (int round = 0; round < 8; ++round) {
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    const pid_t child = StartWriter(path, pipes[1], next, 1, 100000);
    ASSERT_GT(child, 0);
    close(pipes[1]);
    // Killed after some answers, at whatever it is doing then.
    std::vector<int> answered;
    int number = 0;
    while (static_cast<int>(answered.size()) < 20 + round * 13 &&
           read(pipes[0], &number, sizeof number) == sizeof number) {
      answered.push_back(number);
    }
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    for (const int late : ReadNumbers(pipes[0])) answered.push_back(late);
    close(pipes[0]);
    ASSERT_GE(answered.size(), 20u);

    auto connection = SqliteConnection::Open({.path = path});
    ASSERT_TRUE(connection) << connection.error().message;
    SqlQuery check = (*connection)->Query("PRAGMA integrity_check");
    ASSERT_TRUE(check.Step());
    EXPECT_EQ(check.Text(0), "ok");
    for (const int one : answered) {
      SqlQuery row = (*connection)
                         ->Query("SELECT 1 FROM account WHERE jid = ?1")
                         .Bind(1, "u" + std::to_string(one));
      EXPECT_TRUE(row.Step()) << one << " was answered and is gone";
    }
    next += 100000;
  }
}

TEST(CrashSafety, TwoProcessesTakeTurns) {
  TempDir dir;
  const std::string path = dir.File("x.db");
  constexpr int kEach = 400;
  int first[2], second[2];
  ASSERT_EQ(pipe(first), 0);
  ASSERT_EQ(pipe(second), 0);
  const auto began = std::chrono::steady_clock::now();
  const pid_t a = StartWriter(path, first[1], 0, 2, kEach);
  const pid_t b = StartWriter(path, second[1], 1, 2, kEach);
  close(first[1]);
  close(second[1]);
  const auto of_a = ReadNumbers(first[0]);
  const auto of_b = ReadNumbers(second[0]);
  const auto took = std::chrono::steady_clock::now() - began;
  int status = 0;
  waitpid(a, &status, 0);
  EXPECT_EQ(status, 0);
  waitpid(b, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(of_a.size(), static_cast<size_t>(kEach));
  EXPECT_EQ(of_b.size(), static_cast<size_t>(kEach));
  printf("two processes, 8 writes in flight each: %.0f writes/s\n",
         2.0 * kEach / std::chrono::duration<double>(took).count());
}

}  // namespace
}  // namespace business
