// One SQLite connection and its prepared statements; sqlite3.h stays behind it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/runtime/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace business {

class SqliteConnection;

// A prepared statement, borrowed from its connection and given back (reset) when this ends.
//
//   auto row = connection.Query("SELECT locked FROM account WHERE jid = ?1").Bind(1, jid);
//   while (row.Step()) … row.Int(0) …
//   if (!row.ok()) return connection.LastError();
class SqliteQuery {
 public:
  SqliteQuery(SqliteQuery&& other) noexcept;
  SqliteQuery& operator=(SqliteQuery&&) = delete;
  ~SqliteQuery();

  // Parameters are always bound, never written into SQL (attacks.md row 55). Numbered from 1.
  SqliteQuery&& Bind(int parameter, std::string_view text) &&;
  SqliteQuery&& Bind(int parameter, int64_t number) &&;
  SqliteQuery&& BindBlob(int parameter, std::string_view bytes) &&;

  bool Step();  // true: a row stands; false: the end, or an error
  bool Run() {  // for statements without rows
    while (Step()) {
    }
    return ok();
  }
  bool ok() const { return ok_; }

  // Columns from 0. SQL NULL reads as "" or 0.
  std::string Text(int column) const;
  int64_t Int(int column) const;
  bool IsNull(int column) const;

 private:
  friend class SqliteConnection;
  SqliteQuery(SqliteConnection* connection, sqlite3_stmt* statement, bool ok)
      : connection_(connection), statement_(statement), ok_(ok) {}

  SqliteConnection* connection_;
  sqlite3_stmt* statement_;
  bool ok_;
};

// Not thread-safe: belongs to one store thread.
class SqliteConnection {
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
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // `sql` is prepared once and kept: give it constants only.
  SqliteQuery Query(std::string_view sql);
  // Several statements, not kept.
  bool Execute(const std::string& sql);
  // Rows that the newest INSERT, UPDATE or DELETE changed.
  int64_t Changes() const;
  bool InTransaction() const;

  // The newest failure, told by what the caller can do (design R4): disk full and locks are
  // kUnavailable – it did not happen and may work later –, all else kFailed.
  runtime::Error LastError() const;
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
  friend class SqliteQuery;
  explicit SqliteConnection(Options options) : options_(std::move(options)) {}
  bool Note(int code);  // remembers a failure; true if it was none
  static int OnBusy(void* self, int count);
  static int OnProgress(void* self);
  static int OnWal(void* self, sqlite3* db, const char* name, int pages);

  Options options_;
  sqlite3* db_ = nullptr;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;  // keys are the constants
  int code_ = 0;
  std::string message_;
  bool lost_ = false;
  int wal_pages_ = 0;
  std::chrono::steady_clock::time_point busy_since_{};
  std::chrono::nanoseconds budget_end_{};  // in the thread's CPU time; zero: none
};

}  // namespace business
