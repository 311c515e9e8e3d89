#include "business/store/sqlite_connection.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <thread>
#include <utility>

namespace business {

using runtime::Error;
using runtime::Result;

namespace {

constexpr int kProgressSteps = 20000;  // of SQLite's machine between looks at the clock: ~ 1 ms

std::chrono::nanoseconds ThreadCpuTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

class SqliteConnection::Statement : public SqlStatement {
 public:
  Statement(SqliteConnection* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}
  ~Statement() override { sqlite3_finalize(statement_); }

  bool BindText(int parameter, std::string_view text) override {
    // A view of nothing has no data, which SQLite would take for NULL.
    return connection_->Note(sqlite3_bind_text(statement_, parameter,
                                               text.empty() ? "" : text.data(),
                                               static_cast<int>(text.size()), SQLITE_TRANSIENT));
  }
  bool BindInt(int parameter, int64_t number) override {
    return connection_->Note(sqlite3_bind_int64(statement_, parameter, number));
  }
  bool BindBlob(int parameter, std::string_view bytes) override {
    return connection_->Note(sqlite3_bind_blob(statement_, parameter,
                                               bytes.empty() ? "" : bytes.data(),
                                               static_cast<int>(bytes.size()), SQLITE_TRANSIENT));
  }
  Stepped Step() override {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return Stepped::kRow;
    if (code == SQLITE_DONE) return Stepped::kEnd;
    connection_->Note(code);
    return Stepped::kFailed;
  }
  bool Send() override {
    Stepped stepped = Step();
    while (stepped == Stepped::kRow) stepped = Step();
    return stepped == Stepped::kEnd;
  }
  std::string Text(int column) const override {
    const void* bytes = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    if (bytes == nullptr) return {};
    return std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  int64_t Int(int column) const override { return sqlite3_column_int64(statement_, column); }
  bool IsNull(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  void Reset() override {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  SqliteConnection* const connection_;
  sqlite3_stmt* const statement_;
};

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const Options& options) {
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(options));
  if (!options.read_only) {
    // Credentials lie in it. SQLite gives its -wal and -shm files the same mode.
    const int fd = open(options.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return Error::Failed(options.path + ": " + std::strerror(errno));
    close(fd);
  }
  const int flags =
      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(options.path.c_str(), &connection->db_, flags, nullptr);
  if (code != SQLITE_OK) {
    return Error::Failed(options.path + ": " + sqlite3_errstr(code));
  }
  sqlite3_extended_result_codes(connection->db_, 1);
  sqlite3_busy_handler(connection->db_, OnBusy, connection.get());
  sqlite3_wal_hook(connection->db_, OnWal, connection.get());  // replaces the automatic checkpoint
  sqlite3_db_config(connection->db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  const std::string setup =
      "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON;"
      "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000; PRAGMA synchronous=FULL;";
  if (!connection->Execute(setup) ||
      (!options.read_only && !connection->Execute("PRAGMA journal_mode=WAL;"
                                                  "PRAGMA journal_size_limit=67108864;"))) {
    return Error::Failed(options.path + ": " + connection->message_);
  }
  return connection;
}

SqliteConnection::~SqliteConnection() {
  statements_.clear();
  if (db_ != nullptr) sqlite3_close(db_);
}

void SqliteConnection::Abandon() {
  lost_ = true;
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

SqlQuery SqliteConnection::Query(std::string_view sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return SqlQuery(known->second.get());
  sqlite3_stmt* statement = nullptr;
  if (!Note(sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                               SQLITE_PREPARE_PERSISTENT, &statement, nullptr))) {
    return SqlQuery(nullptr);
  }
  const auto kept = statements_.emplace(sql, std::make_unique<Statement>(this, statement)).first;
  return SqlQuery(kept->second.get());
}

bool SqliteConnection::Execute(const std::string& sql) {
  return Note(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr));
}

int64_t SqliteConnection::Changes() const { return sqlite3_changes(db_); }

bool SqliteConnection::InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }

bool SqliteConnection::Note(int code) {
  if (code == SQLITE_OK) return true;
  code_ = code;
  message_ = sqlite3_errmsg(db_);
  switch (code & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
      lost_ = true;
      break;
    default:
      break;
  }
  return false;
}

void SqliteConnection::SetBudget(std::chrono::milliseconds cpu_time) {
  const bool limited = cpu_time.count() > 0;
  budget_end_ = limited ? ThreadCpuTime() + cpu_time : std::chrono::nanoseconds{};
  sqlite3_progress_handler(db_, limited ? kProgressSteps : 0, limited ? OnProgress : nullptr, this);
}

int SqliteConnection::OnProgress(void* self) {
  return ThreadCpuTime() > static_cast<SqliteConnection*>(self)->budget_end_ ? 1 : 0;
}

Error SqliteConnection::LastError() const {
  if ((code_ & 0xff) == SQLITE_INTERRUPT) {
    return Error::Unavailable("the store would have had to look through too much");
  }
  if (LastWasFull()) return Error::Unavailable("the store's disk is full");
  if (LastWasBusy()) return Error::Unavailable("the store is locked by another program");
  return Error::Failed("store: " + message_);
}

bool SqliteConnection::LastWasBusy() const {
  return (code_ & 0xff) == SQLITE_BUSY || (code_ & 0xff) == SQLITE_LOCKED;
}

bool SqliteConnection::LastWasFull() const { return (code_ & 0xff) == SQLITE_FULL; }

int SqliteConnection::Checkpoint() {
  int pages = 0, moved = 0;
  if (!Note(sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved))) {
    return -1;
  }
  wal_pages_ = pages - moved;
  return wal_pages_;
}

int SqliteConnection::OnBusy(void* self, int count) {
  auto* connection = static_cast<SqliteConnection*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (count == 0) connection->busy_since_ = now;
  if (now - connection->busy_since_ >= connection->options_.busy) return 0;
  std::this_thread::sleep_for(std::chrono::microseconds(count < 10 ? 100 : 1000));
  return 1;
}

int SqliteConnection::OnWal(void* self, sqlite3*, const char*, int pages) {
  static_cast<SqliteConnection*>(self)->wal_pages_ = pages;
  return SQLITE_OK;
}

}  // namespace business
