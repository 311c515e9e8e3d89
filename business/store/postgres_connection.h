// One PostgreSQL connection, its prepared statements and its pipeline; libpq stays behind it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "business/store/sql_connection.h"
#include "lib/runtime/result.h"

struct pg_conn;
struct pg_result;

namespace business {

class PostgresConnection;

// A prepared statement of one connection. Sent when its first row is asked for, or before by Send:
// what is sent without being waited for travels with the next that is (one round trip for all).
class PostgresStatement : public SqlStatement {
 public:
  PostgresStatement(PostgresConnection* connection, std::string_view sql);
  ~PostgresStatement() override;

  bool BindText(int parameter, std::string_view text) override;
  bool BindInt(int parameter, int64_t number) override;
  bool BindBlob(int parameter, std::string_view bytes) override;
  // Arrays; nullopt is SQL's NULL.
  void BindTexts(int parameter, const std::vector<std::optional<std::string_view>>& texts);
  void BindBlobs(int parameter, const std::vector<std::optional<std::string_view>>& blobs);
  void BindInts(int parameter, const std::vector<int64_t>& numbers);

  bool Send() override;
  Stepped Step() override;
  std::string Text(int column) const override;
  int64_t Int(int column) const override;
  bool IsNull(int column) const override;
  void Reset() override;

 private:
  friend class PostgresConnection;
  struct Parameter {
    uint32_t type = 0;
    bool null = true;
    std::string bytes;
  };
  struct Free {
    void operator()(pg_result* result) const;
  };
  void Bind(int parameter, uint32_t type, std::string bytes);
  void BindArray(int parameter, uint32_t array, uint32_t element,
                 const std::vector<std::optional<std::string_view>>& elements);
  void Accept(pg_result* result);

  PostgresConnection* const connection_;
  const std::string name_, sql_;
  bool prepared_ = false;
  std::vector<Parameter> parameters_;
  uint64_t ticket_ = 0;  // of what was sent and is of interest
  std::unique_ptr<pg_result, Free> result_;
  int row_ = -1;
};

// Not thread-safe: belongs to one store thread. Every wait has an end: the server ends statements
// that take too long, and a server that does not even say that loses the connection.
class PostgresConnection : public SqlConnection {
 public:
  struct Options {
    std::string url;       // postgresql://…, as libpq reads it
    std::string password;  // empty: what the URL or libpq's own sources say
    std::string name = "xylem";
    std::chrono::milliseconds connect{5000};
    std::chrono::milliseconds statement{10000};  // beyond, the server cancels it
    std::chrono::milliseconds lock{1000};        // so long a statement waits for somebody's lock
  };
  static runtime::Result<std::unique_ptr<PostgresConnection>> Open(const Options& options);
  ~PostgresConnection() override;
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  Engine engine() const override { return Engine::kPostgres; }
  SqlQuery Query(std::string_view sql) override { return SqlQuery(&Statement(sql)); }
  using SqlConnection::Query;
  // For what only PostgreSQL has; to be Reset, or wrapped into an SqlQuery, when done.
  PostgresStatement& Statement(std::string_view sql);
  // Without parameters and rows; travels with what is waited for next.
  void Send(std::string_view sql) { SqlQuery(&Statement(sql)).Send(); }
  // Waits for all that was sent. False: something of it failed.
  bool Round();
  // Several statements, not kept, waited for.
  bool Execute(const std::string& sql);

  int64_t Changes() const override { return changes_; }
  // kUnavailable: did not happen and may work later; all else kFailed.
  runtime::Error LastError() const override;
  // The newest failure may pass by itself: locks, deadlocks, time limits, lost connections.
  bool transient() const;
  bool LastWasLock() const { return code_ == "55P03"; }
  bool LastWasFull() const { return code_ == "53100"; }
  void ForgetError();  // so that a later one is not taken for this
  bool lost() const { return lost_; }
  bool InTransaction() const;
  int64_t server_version() const;  // 150018

 private:
  friend class PostgresStatement;
  struct Pending {
    PostgresStatement* statement;
    uint64_t ticket;  // 0: its preparation
  };
  explicit PostgresConnection(Options options) : options_(std::move(options)) {}
  bool Connect();
  void SendStatement(PostgresStatement& statement);
  bool Wait(bool writing, std::chrono::steady_clock::time_point until);
  pg_result* NextResult(std::chrono::steady_clock::time_point until);
  bool Take(const Pending& pending, pg_result* result);
  void Note(const pg_result* result);
  bool Lose(std::string message);

  const Options options_;
  pg_conn* connection_ = nullptr;
  // By the constants that they were made of.
  std::unordered_map<std::string_view, std::unique_ptr<PostgresStatement>> statements_;
  std::deque<Pending> pending_;
  uint64_t next_ticket_ = 1;
  int64_t changes_ = 0;
  std::string code_, message_;
  bool lost_ = false;
};

}  // namespace business
