#include "business/store/postgres_database.h"

#include <random>
#include <thread>

#include "business/store/postgres_schema.h"

namespace business {
namespace {

using runtime::Error;
using runtime::Result;

constexpr int64_t kOldestServer =
    140000;  // flush requests, and target_session_attrs without a query
constexpr std::chrono::seconds kStartPatience{10};

// No two writers have one name, in whatever process.
std::string WriterName() {
  std::random_device random;
  constexpr char kHex[] = "0123456789abcdef";
  std::string name = "xylem-write-";
  for (int i = 0; i < 16; ++i) name += kHex[random() & 15];
  return name;
}

Result<std::unique_ptr<PostgresConnection>> OpenPatiently(
    const PostgresConnection::Options& options) {
  const auto until = std::chrono::steady_clock::now() + kStartPatience;
  while (true) {
    auto opened = PostgresConnection::Open(options);
    if (opened || std::chrono::steady_clock::now() > until) return opened;
    // Wrong names and passwords do not get better.
    const std::string& message = opened.error().message;
    const bool starting = message.find("starting up") != std::string::npos ||
                          message.find("recovery") != std::string::npos ||
                          message.find("Connection refused") != std::string::npos ||
                          message.find("No such file") != std::string::npos;
    if (!starting) return opened;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace

PostgresConnection::Options PostgresDatabase::ConnectionOptions(std::string name) const {
  return {.url = options_.url,
          .password = options_.password,
          .name = std::move(name),
          .statement = options_.write_limit,
          .lock = options_.lock_limit};
}

Result<std::unique_ptr<PostgresDatabase>> PostgresDatabase::Open(Options options) {
  std::unique_ptr<PostgresDatabase> database(new PostgresDatabase(std::move(options)));
  const Options& o = database->options_;
  {
    // Migrations may rewrite tables: they have no time limit of the server's.
    PostgresConnection::Options migrating = database->ConnectionOptions("xylem-migrate");
    migrating.statement = std::chrono::hours(12);
    auto connection = OpenPatiently(migrating);
    if (!connection) return Error::Failed("store.url: " + connection.error().message);
    if ((*connection)->server_version() < kOldestServer) {
      return Error::Failed("store.url: PostgreSQL 14 or later is needed");
    }
    const Result<void> migrated = MigratePostgres(**connection, PostgresMigrations());
    if (!migrated) return Error::Failed("store.url: " + migrated.error().message);
  }
  const PostgresConnection::Options writing = database->ConnectionOptions(WriterName());
  auto connection = PostgresConnection::Open(writing);
  if (!connection) return Error::Failed("store.url: " + connection.error().message);
  PostgresConnection::Options reading = database->ConnectionOptions("xylem-read");
  reading.statement = o.read_limit;
  database->reader_ =
      std::make_unique<PostgresReader>(reading, o.readers, o.queue, &database->reach_);
  database->writer_ = std::make_unique<PostgresCommitter>(
      PostgresCommitter::Options{.connection = writing,
                                 .queue = {.delay = o.commit_delay,
                                           .batch = o.commit_batch,
                                           .most = o.queue,
                                           .patience = o.patience},
                                 .read_back = o.read_back,
                                 .reach = &database->reach_},
      std::move(*connection));
  return database;
}

}  // namespace business
