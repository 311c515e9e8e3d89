// One SQLite connection and its prepared statements; sqlite3.h stays behind it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "business/store/sql_connection.h"
#include "lib/runtime/result.h"

struct sqlite3;

namespace business {

// Not thread-safe: belongs to one store thread.
class SqliteConnection : public SqlConnection {
 public:
  struct Options {
    std::string path;
    bool read_only = false;
    // Another program's lock is waited for in steps of ≤ 1 ms, this long. SQLite's own handler
    // sleeps up to 100 ms and is unfair.
    std::chrono::milliseconds busy{1000};
  };
  // WAL, synchronous=FULL, foreign keys. Makes the file, readable by its owner only.
  static runtime::Result<std::unique_ptr<SqliteConnection>> Open(const Options& options);
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  SqlQuery Query(std::string_view sql) override;
  using SqlConnection::Query;
  Engine engine() const override { return Engine::kSqlite; }
  // Several statements, not kept.
  bool Execute(const std::string& sql);
  int64_t Changes() const override;
  bool InTransaction() const;

  // Disk full and locks are kUnavailable – it did not happen and may work later –, all else
  // kFailed.
  runtime::Error LastError() const override;
  bool LastWasBusy() const;
  bool LastWasFull() const;
  // After this the handle is not to be trusted: I/O errors (a failed fsync is never repeated and
  // believed), a corrupt or replaced file.
  bool lost() const { return lost_; }
  void Abandon();  // closes without a checkpoint: what the file holds is read anew by the next one

  // From now on, what this thread runs on this connection may take so much of its CPU time; beyond,
  // a statement fails (kUnavailable). Zero: no limit.
  void SetBudget(std::chrono::milliseconds cpu_time);

  // Moves pages from the log into the file. Returns pages left in the log; -1 on error.
  int Checkpoint();
  int WalPages() const { return wal_pages_; }

 private:
  class Statement;

  explicit SqliteConnection(Options options) : options_(std::move(options)) {}
  bool Note(int code);  // remembers a failure; true if it was none
  static int OnBusy(void* self, int count);
  static int OnProgress(void* self);
  static int OnWal(void* self, sqlite3* db, const char* name, int pages);

  Options options_;
  sqlite3* db_ = nullptr;
  // By the constants that they were made of.
  std::unordered_map<std::string_view, std::unique_ptr<SqlStatement>> statements_;
  int code_ = 0;
  std::string message_;
  bool lost_ = false;
  int wal_pages_ = 0;
  std::chrono::steady_clock::time_point busy_since_{};
  std::chrono::nanoseconds budget_end_{};  // in the thread's CPU time; zero: none
};

}  // namespace business
