#include "business/store/postgres_connection.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/runtime/log.h"

namespace business {

using runtime::Error;
using runtime::Result;
using Clock = std::chrono::steady_clock;

namespace {

// Type numbers of pg_type, fixed for ever.
constexpr uint32_t kBytea = 17, kInt8 = 20, kText = 25;
constexpr uint32_t kByteaArray = 1001, kTextArray = 1009, kInt8Array = 1016;
constexpr std::chrono::milliseconds kGrace{2000};  // behind the server's own limit

void AppendInt32(std::string* out, int32_t value) {
  const uint32_t wire = htonl(static_cast<uint32_t>(value));
  out->append(reinterpret_cast<const char*>(&wire), sizeof wire);
}

std::string Int8(int64_t value) {
  const uint64_t wire = htobe64(static_cast<uint64_t>(value));
  return std::string(reinterpret_cast<const char*>(&wire), sizeof wire);
}

// Our statements number parameters as SQLite does, and tell SQLite which index to use.
std::string ForPostgres(std::string_view sql) {
  constexpr std::string_view kHint = " INDEXED BY ";
  std::string text(sql);
  for (size_t at = text.find(kHint); at != std::string::npos; at = text.find(kHint)) {
    text.erase(at, text.find_first_of(" )", at + kHint.size()) - at);
  }
  for (char& c : text) {
    if (c == '?') c = '$';
  }
  return text;
}

std::string OneLine(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

// ---- PostgresStatement ----

void PostgresStatement::Free::operator()(pg_result* result) const { PQclear(result); }

PostgresStatement::PostgresStatement(PostgresConnection* connection, std::string_view sql)
    : connection_(connection),
      name_("x" + std::to_string(connection->statements_.size())),
      sql_(ForPostgres(sql)) {}

PostgresStatement::~PostgresStatement() = default;

void PostgresStatement::Bind(int parameter, uint32_t type, std::string bytes) {
  if (parameters_.size() < static_cast<size_t>(parameter)) {
    parameters_.resize(static_cast<size_t>(parameter));
  }
  parameters_[static_cast<size_t>(parameter) - 1] = {
      .type = type, .null = false, .bytes = std::move(bytes)};
}

bool PostgresStatement::BindText(int parameter, std::string_view text) {
  Bind(parameter, kText, std::string(text));
  return true;
}

bool PostgresStatement::BindInt(int parameter, int64_t number) {
  Bind(parameter, kInt8, Int8(number));
  return true;
}

bool PostgresStatement::BindBlob(int parameter, std::string_view bytes) {
  Bind(parameter, kBytea, std::string(bytes));
  return true;
}

// The wire's form of a one-dimensional array: PostgreSQL's array_recv.
void PostgresStatement::BindArray(int parameter, uint32_t array, uint32_t element,
                                  const std::vector<std::optional<std::string_view>>& elements) {
  std::string bytes;
  AppendInt32(&bytes, elements.empty() ? 0 : 1);  // dimensions
  AppendInt32(&bytes, 1);                         // there may be NULLs
  AppendInt32(&bytes, static_cast<int32_t>(element));
  if (!elements.empty()) {
    AppendInt32(&bytes, static_cast<int32_t>(elements.size()));
    AppendInt32(&bytes, 1);  // the first index
  }
  for (const auto& one : elements) {
    AppendInt32(&bytes, one ? static_cast<int32_t>(one->size()) : -1);
    if (one) bytes += *one;
  }
  Bind(parameter, array, std::move(bytes));
}

void PostgresStatement::BindTexts(int parameter,
                                  const std::vector<std::optional<std::string_view>>& texts) {
  BindArray(parameter, kTextArray, kText, texts);
}

void PostgresStatement::BindBlobs(int parameter,
                                  const std::vector<std::optional<std::string_view>>& blobs) {
  BindArray(parameter, kByteaArray, kBytea, blobs);
}

void PostgresStatement::BindInts(int parameter, const std::vector<int64_t>& numbers) {
  std::vector<std::string> bytes;
  bytes.reserve(numbers.size());
  for (const int64_t number : numbers) bytes.push_back(Int8(number));
  BindArray(parameter, kInt8Array, kInt8, {bytes.begin(), bytes.end()});
}

bool PostgresStatement::Send() {
  if (ticket_ == 0) connection_->SendStatement(*this);
  return !connection_->lost();
}

SqlStatement::Stepped PostgresStatement::Step() {
  if (result_ == nullptr) {
    Send();
    connection_->Round();
    if (result_ == nullptr) return Stepped::kFailed;
  }
  return ++row_ < PQntuples(result_.get()) ? Stepped::kRow : Stepped::kEnd;
}

std::string PostgresStatement::Text(int column) const {
  return std::string(PQgetvalue(result_.get(), row_, column),
                     static_cast<size_t>(PQgetlength(result_.get(), row_, column)));
}

int64_t PostgresStatement::Int(int column) const {
  const int size = PQgetlength(result_.get(), row_, column);
  const auto* bytes =
      reinterpret_cast<const unsigned char*>(PQgetvalue(result_.get(), row_, column));
  if (size == 0) return 0;
  int64_t value = (bytes[0] & 0x80) != 0 && size > 1 ? -1 : 0;
  for (int i = 0; i < size; ++i)
    value = static_cast<int64_t>(static_cast<uint64_t>(value) << 8) | bytes[i];
  return value;
}

bool PostgresStatement::IsNull(int column) const {
  return PQgetisnull(result_.get(), row_, column) != 0;
}

void PostgresStatement::Reset() {
  ticket_ = 0;
  result_.reset();
  row_ = -1;
  parameters_.clear();
}

void PostgresStatement::Accept(pg_result* result) {
  result_.reset(result);
  row_ = -1;
}

// ---- PostgresConnection ----

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(const Options& options) {
  std::unique_ptr<PostgresConnection> connection(new PostgresConnection(options));
  if (!connection->Connect()) return Error::Unavailable(connection->message_);
  // Whatever statistics say: what we ask for is found by an index, and few rows are joined.
  const std::string setup =
      "SET statement_timeout = " + std::to_string(options.statement.count()) +
      "; SET lock_timeout = " + std::to_string(options.lock.count()) +
      "; SET idle_in_transaction_session_timeout = 20000; SET client_min_messages = error;"
      "SET default_transaction_isolation = 'read committed'; SET jit = off;"
      "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
      // Acknowledged is on disk (R1), whatever the server's default.
      "SELECT set_config('synchronous_commit', 'on', false) "
      "WHERE current_setting('synchronous_commit') = 'off'";
  if (!connection->Execute(setup)) return Error::Unavailable(connection->message_);
  return connection;
}

PostgresConnection::~PostgresConnection() {
  statements_.clear();
  if (connection_ != nullptr) PQfinish(connection_);
}

bool PostgresConnection::Connect() {
  const std::string seconds = std::to_string(std::max<int64_t>(2, options_.connect.count() / 1000));
  std::vector<const char*> keys, values;
  const auto set = [&](const char* key, const char* value) {
    keys.push_back(key);
    values.push_back(value);
  };
  // Before the URL, which may say otherwise: a peer that is gone is noticed in seconds.
  set("connect_timeout", seconds.c_str());
  set("keepalives_idle", "5");
  set("keepalives_interval", "3");
  set("keepalives_count", "3");
  set("tcp_user_timeout", "10000");
  set("gssencmode", "disable");
  set("dbname", options_.url.c_str());
  // Never decide from a replica.
  set("target_session_attrs", "read-write");
  set("client_encoding", "UTF8");
  set("application_name", options_.name.c_str());
  if (!options_.password.empty()) set("password", options_.password.c_str());
  keys.push_back(nullptr);
  values.push_back(nullptr);

  connection_ = PQconnectStartParams(keys.data(), values.data(), 1);
  if (connection_ == nullptr) return Lose("out of memory");
  PQsetNoticeProcessor(
      connection_,
      [](void*, const char* text) { runtime::LogDebug("store_notice", OneLine(text)); }, nullptr);
  const auto until = Clock::now() + options_.connect;
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED || PQstatus(connection_) == CONNECTION_BAD) {
      return Lose(OneLine(PQerrorMessage(connection_)));
    }
    pollfd ready{.fd = PQsocket(connection_),
                 .events = static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                 .revents = 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return Lose("PostgreSQL does not answer");
    if (poll(&ready, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) {
      return Lose(std::strerror(errno));
    }
    state = PQconnectPoll(connection_);
  }
  if (PQsetnonblocking(connection_, 1) != 0 || PQenterPipelineMode(connection_) == 0) {
    return Lose(OneLine(PQerrorMessage(connection_)));
  }
  return true;
}

PostgresStatement& PostgresConnection::Statement(std::string_view sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return *known->second;
  return *statements_.emplace(sql, std::make_unique<PostgresStatement>(this, sql)).first->second;
}

void PostgresConnection::SendStatement(PostgresStatement& statement) {
  statement.ticket_ = next_ticket_++;
  statement.result_.reset();
  if (lost_) return;
  const auto& parameters = statement.parameters_;
  const int count = static_cast<int>(parameters.size());
  if (!statement.prepared_) {
    std::vector<Oid> types;
    for (const auto& parameter : parameters) types.push_back(parameter.type);
    if (PQsendPrepare(connection_, statement.name_.c_str(), statement.sql_.c_str(), count,
                      types.data()) == 0) {
      Lose(OneLine(PQerrorMessage(connection_)));
      return;
    }
    statement.prepared_ = true;
    pending_.push_back({.statement = &statement, .ticket = 0});
  }
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const auto& parameter : parameters) {
    values.push_back(parameter.null ? nullptr : parameter.bytes.data());
    lengths.push_back(static_cast<int>(parameter.bytes.size()));
    formats.push_back(1);
  }
  if (PQsendQueryPrepared(connection_, statement.name_.c_str(), count, values.data(),
                          lengths.data(), formats.data(), 1) == 0) {
    Lose(OneLine(PQerrorMessage(connection_)));
    return;
  }
  pending_.push_back({.statement = &statement, .ticket = statement.ticket_});
}

bool PostgresConnection::Round() {
  if (lost_) return false;
  if (pending_.empty()) return true;
  if (PQpipelineSync(connection_) == 0) return Lose(OneLine(PQerrorMessage(connection_)));
  const auto until = Clock::now() + options_.statement + kGrace;
  bool ok = true;
  while (true) {
    pg_result* result = NextResult(until);
    if (lost_) return false;
    if (result == nullptr) {  // the end of one statement's results
      if (!pending_.empty()) pending_.pop_front();
      continue;
    }
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
      PQclear(result);
      break;
    }
    if (pending_.empty()) {  // the server's last words
      Note(result);
      PQclear(result);
      if (lost_) return false;
      return Lose("PostgreSQL answered more than it was asked");
    }
    ok = Take(pending_.front(), result) && ok;
  }
  pending_.clear();
  return ok;
}

// Owns `result`.
bool PostgresConnection::Take(const Pending& pending, pg_result* result) {
  PostgresStatement& statement = *pending.statement;
  const ExecStatusType status = PQresultStatus(result);
  const bool ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
  // Of an aborted pipeline only the first failure says why.
  if (!ok && status != PGRES_PIPELINE_ABORTED) Note(result);
  if (pending.ticket == 0) {
    statement.prepared_ = statement.prepared_ && ok;
  } else if (ok) {
    const char* rows = PQcmdTuples(result);
    changes_ = *rows != '\0' ? std::strtoll(rows, nullptr, 10) : 0;
    if (pending.ticket == statement.ticket_) {
      statement.Accept(result);
      return true;
    }
  }
  PQclear(result);
  return ok;
}

pg_result* PostgresConnection::NextResult(Clock::time_point until) {
  while (true) {
    const int unsent = PQflush(connection_);
    if (unsent < 0) {
      Lose(OneLine(PQerrorMessage(connection_)));
      return nullptr;
    }
    if (PQisBusy(connection_) == 0) break;
    if (!Wait(unsent > 0, until)) return nullptr;
  }
  pg_result* result = PQgetResult(connection_);
  if (PQstatus(connection_) == CONNECTION_BAD) {
    if (result != nullptr) {
      Note(result);
      PQclear(result);
    }
    Lose(OneLine(PQerrorMessage(connection_)));
    return nullptr;
  }
  return result;
}

bool PostgresConnection::Wait(bool writing, Clock::time_point until) {
  pollfd ready{.fd = PQsocket(connection_),
               .events = static_cast<short>(POLLIN | (writing ? POLLOUT : 0)),
               .revents = 0};
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
  if (left.count() <= 0) return Lose("PostgreSQL does not answer");
  const int count = poll(&ready, 1, static_cast<int>(left.count()));
  if (count < 0 && errno != EINTR) return Lose(std::strerror(errno));
  if (count > 0 && (ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
      PQconsumeInput(connection_) == 0) {
    return Lose(OneLine(PQerrorMessage(connection_)));
  }
  return true;
}

bool PostgresConnection::Execute(const std::string& sql) {
  if (!Round() && lost_) return false;
  if (PQexitPipelineMode(connection_) == 0 || PQsendQuery(connection_, sql.c_str()) == 0) {
    return Lose(OneLine(PQerrorMessage(connection_)));
  }
  const auto until = Clock::now() + options_.statement + kGrace;
  bool ok = true;
  while (pg_result* result = NextResult(until)) {
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
      Note(result);
      ok = false;
    }
    PQclear(result);
  }
  if (lost_) return false;
  if (PQenterPipelineMode(connection_) == 0) return Lose(OneLine(PQerrorMessage(connection_)));
  return ok;
}

void PostgresConnection::Note(const pg_result* result) {
  const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  code_ = code != nullptr ? code : "";
  message_ = OneLine(text != nullptr ? text : PQresultErrorMessage(result));
  // A server that goes down says so and hangs up; one that became a replica takes no writes.
  if (code_.starts_with("57P") || code_ == "25006") lost_ = true;
}

bool PostgresConnection::Lose(std::string message) {
  if (!lost_) {
    code_ = "08006";
    message_ = message.empty() ? "the connection broke" : std::move(message);
  }
  lost_ = true;
  return false;
}

Error PostgresConnection::LastError() const {
  if (code_ == "53100") return Error::Unavailable("the store's disk is full");
  if (code_ == "55P03") return Error::Unavailable("the store is locked by another program");
  if (code_ == "57014") return Error::Unavailable("the store took too long");
  if (lost_ || transient()) return Error::Unavailable("store: " + message_);
  return Error::Failed("store: " + message_);
}

bool PostgresConnection::transient() const {
  if (lost_) return true;
  // Deadlocks and serialization, locks, time limits, resources, the system below.
  return code_ == "40001" || code_ == "40P01" || code_ == "55P03" || code_ == "57014" ||
         code_.starts_with("53") || code_.starts_with("58");
}

void PostgresConnection::ForgetError() {
  if (!lost_) code_.clear();
}

bool PostgresConnection::InTransaction() const {
  return connection_ != nullptr && PQtransactionStatus(connection_) != PQTRANS_IDLE;
}

int64_t PostgresConnection::server_version() const { return PQserverVersion(connection_); }

}  // namespace business
