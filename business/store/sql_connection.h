// What the typed stores ask of an SQL engine: prepared statements inside a transaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "lib/runtime/result.h"

namespace business {

// An engine's side of SqlQuery; kept by its connection, used by one query at a time.
class SqlStatement {
 public:
  virtual ~SqlStatement() = default;
  virtual bool BindText(int parameter, std::string_view text) = 0;
  virtual bool BindInt(int parameter, int64_t number) = 0;
  virtual bool BindBlob(int parameter, std::string_view bytes) = 0;
  enum class Stepped { kRow, kEnd, kFailed };
  virtual Stepped Step() = 0;
  virtual bool Send() = 0;
  virtual std::string Text(int column) const = 0;
  virtual int64_t Int(int column) const = 0;
  virtual bool IsNull(int column) const = 0;
  virtual void Reset() = 0;
};

// A prepared statement, borrowed from its connection and given back (reset) when this ends.
//
//   auto row = connection.Query("SELECT locked FROM account WHERE jid = ?1").Bind(1, jid);
//   while (row.Step()) … row.Int(0) …
//   if (!row.ok()) return connection.LastError();
class SqlQuery {
 public:
  explicit SqlQuery(SqlStatement* statement) : statement_(statement), ok_(statement != nullptr) {}
  SqlQuery(SqlQuery&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)), ok_(other.ok_) {}
  SqlQuery& operator=(SqlQuery&&) = delete;
  ~SqlQuery() {
    if (statement_ != nullptr) statement_->Reset();
  }

  // Parameters are always bound, never written into SQL (tests/attacks, row 55). Numbered from 1.
  SqlQuery&& Bind(int parameter, std::string_view text) && {
    ok_ = ok_ && statement_->BindText(parameter, text);
    return std::move(*this);
  }
  SqlQuery&& Bind(int parameter, int64_t number) && {
    ok_ = ok_ && statement_->BindInt(parameter, number);
    return std::move(*this);
  }
  SqlQuery&& BindBlob(int parameter, std::string_view bytes) && {
    ok_ = ok_ && statement_->BindBlob(parameter, bytes);
    return std::move(*this);
  }

  bool Step() {  // true: a row stands; false: the end, or an error
    if (!ok_) return false;
    const SqlStatement::Stepped stepped = statement_->Step();
    ok_ = stepped != SqlStatement::Stepped::kFailed;
    return stepped == SqlStatement::Stepped::kRow;
  }
  bool Run() {  // for statements without rows
    while (Step()) {
    }
    return ok();
  }
  // Run for who needs no answer: it need not wait for one, and a failure may come with a later
  // statement.
  bool Send() {
    ok_ = ok_ && statement_->Send();
    return ok_;
  }
  bool ok() const { return ok_; }

  // Columns from 0. SQL NULL reads as "" or 0.
  std::string Text(int column) const { return statement_->Text(column); }
  int64_t Int(int column) const { return statement_->Int(column); }
  bool IsNull(int column) const { return statement_->IsNull(column); }

 private:
  SqlStatement* statement_;
  bool ok_;
};

// Not thread-safe: belongs to one store thread.
class SqlConnection {
 public:
  virtual ~SqlConnection() = default;
  enum class Engine { kSqlite, kPostgres };
  virtual Engine engine() const = 0;
  // `sql` is prepared once and kept: give it constants only. As SQLite reads it: PostgreSQL's
  // connection has parameters ?1, ?2 … by its own names and leaves INDEXED BY out.
  virtual SqlQuery Query(std::string_view sql) = 0;
  // Where the engines' dialects part.
  SqlQuery Query(std::string_view sqlite, std::string_view postgres) {
    return Query(engine() == Engine::kSqlite ? sqlite : postgres);
  }
  // Rows that the newest INSERT, UPDATE or DELETE changed.
  virtual int64_t Changes() const = 0;
  // The newest failure, told by what the caller can do (R4).
  virtual runtime::Error LastError() const = 0;
};

}  // namespace business
