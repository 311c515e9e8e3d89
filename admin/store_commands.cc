#include <CLI/CLI.hpp>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "business/store/store_inspection.h"
#include "business/store/store_url.h"
#include "lib/runtime/config.h"
#include "lib/runtime/log.h"
#include "proto/admin.pb.h"
#include "proto/config/business.pb.h"

namespace admin {
namespace {

using business::StoreInspection;
using business::StoreMigration;
using runtime::Error;
using runtime::Result;

struct StoreOptions {
  std::string url, password_file;
  std::string business;  // a business server's configuration file
  bool direct() const { return !url.empty() || !business.empty(); }
};
using Options = std::shared_ptr<StoreOptions>;

// Where the store is.
struct Place {
  std::string path;                                  // SQLite's; else:
  business::PostgresConnection::Options connection;  // PostgreSQL's
};

Failure BadConfig(std::string text) {
  return {ExitCode::kBadConfig, "BAD_CONFIG", std::move(text)};
}

std::optional<Failure> ReadPassword(const std::string& file, std::string* password) {
  if (file.empty()) return std::nullopt;
  std::ifstream in(file);
  if (!std::getline(in, *password)) return BadConfig(file + ": no password can be read");
  if (!password->empty() && password->back() == '\r') password->pop_back();
  return std::nullopt;
}

// The file alone, as `config check` reads it; of its mistakes the first.
std::optional<Failure> ReadBusiness(const std::string& file, std::string* url,
                                    std::string* password) {
  xylem::config::Business config;
  const std::vector<std::string> errors =
      runtime::LoadConfig({.file = file, .environment_prefix = ""}, &config);
  if (!errors.empty()) return BadConfig(errors.front());
  *url = config.store().url();
  *password = config.store().password();
  return std::nullopt;
}

std::variant<Place, Failure> FindPlace(const StoreOptions& options) {
  std::string url = options.url, password;
  std::optional<Failure> failure = options.url.empty()
                                       ? ReadBusiness(options.business, &url, &password)
                                       : ReadPassword(options.password_file, &password);
  if (failure.has_value()) return *failure;
  const Result<business::StoreUrl> read = business::ReadStoreUrl(url);
  if (!read) return BadConfig(read.error().message);
  Place place;
  place.path = read->path;
  if (read->postgres) {
    place.connection = {.url = url,
                        .password = password,
                        .name = "xylemctl",
                        .statement = std::chrono::minutes(10)};
  }
  return place;
}

Failure FailureOf(const Error& error) {
  if (error.kind == runtime::ErrorKind::kFailed) {
    return {ExitCode::kFailed, "FAILED", error.message};
  }
  return {ExitCode::kUnavailable, "UNAVAILABLE", error.message};
}

std::string Sentence(const StoreInspection& found) {
  if (found.schema == 0) return "it has no tables yet: `xylemctl store migrate` makes them";
  if (found.schema < found.known) {
    return "it is of a release before: servers of this one bring it up to schema " +
           std::to_string(found.known) + ", as does `xylemctl store migrate`";
  }
  return "";
}

ExitCode Show(const StoreInspection& found, uint64_t write_us, Output& output) {
  const bool healthy = found.faults.empty();
  if (output.json()) {
    output.WriteJson({{"healthy", healthy},
                      {"store",
                       {{"engine", found.engine},
                        {"schema", found.schema},
                        {"known", found.known},
                        {"write_us", write_us},
                        {"faults", found.faults}}}});
    return healthy ? ExitCode::kOk : ExitCode::kFailed;
  }
  output.WriteLine(found.engine + ", schema " + std::to_string(found.schema) +
                   " (this release: " + std::to_string(found.known) + ")");
  if (const std::string sentence = Sentence(found); !sentence.empty()) output.WriteLine(sentence);
  if (write_us != 0) {
    output.WriteLine("a write is on disk in " + std::to_string(write_us / 1000) + "." +
                     std::to_string(write_us / 100 % 10) + " ms");
  }
  for (const std::string& fault : found.faults) output.WriteLine("fault: " + fault);
  if (healthy) output.WriteLine("no faults found");
  return healthy ? ExitCode::kOk : ExitCode::kFailed;
}

ExitCode AskForCheck(AdminClient& client, Output& output) {
  xylem::v1::StoreReport report;
  // It reads the whole database.
  std::optional<Failure> failure =
      client.Call("CheckStore", xylem::v1::Empty(), &report, AdminClient::Repeat::kYes,
                  std::chrono::seconds(120));
  if (failure.has_value()) return output.Fail(*failure);
  StoreInspection found{.engine = report.engine(),
                        .schema = report.schema(),
                        .known = report.known(),
                        .faults = {report.faults().begin(), report.faults().end()}};
  return Show(found, report.write_us(), output);
}

ExitCode CheckDirectly(const StoreOptions& options, Output& output) {
  auto place = FindPlace(options);
  if (const auto* failure = std::get_if<Failure>(&place)) return output.Fail(*failure);
  const Place& at = std::get<Place>(place);
  const Result<StoreInspection> found = at.path.empty()
                                            ? business::InspectPostgres(at.connection)
                                            : business::InspectSqlite(at.path, /*thorough=*/true);
  if (!found) return output.Fail(FailureOf(found.error()));
  return Show(*found, 0, output);
}

ExitCode MigrateDirectly(const StoreOptions& options, Output& output) {
  auto place = FindPlace(options);
  if (const auto* failure = std::get_if<Failure>(&place)) return output.Fail(*failure);
  const Place& at = std::get<Place>(place);
  runtime::SetLogLevel(runtime::LogLevel::kWarn);  // what is done, the answer says
  const Result<StoreMigration> done = at.path.empty()
                                          ? business::MigratePostgresStore(at.connection)
                                          : business::MigrateSqliteStore(at.path);
  if (!done) return output.Fail(FailureOf(done.error()));
  if (output.json()) {
    output.WriteJson({{"store",
                       {{"engine", done->engine},
                        {"schema_before", done->before},
                        {"schema", done->after}}}});
  } else if (done->before == done->after) {
    output.WriteLine(done->engine + ": schema " + std::to_string(done->after) +
                     ", nothing to be done");
  } else {
    output.WriteLine(done->engine + ": brought from schema " + std::to_string(done->before) +
                     " to " + std::to_string(done->after));
  }
  return ExitCode::kOk;
}

void AddPlace(CLI::App* verb, const Options& options) {
  CLI::Option* url = verb->add_option("--url", options->url,
                                      "the store itself: sqlite:PATH or postgresql://…")
                         ->type_name("URL");
  verb->add_option("--password-file", options->password_file, "PostgreSQL's password")
      ->type_name("FILE")
      ->needs(url);
  verb->add_option("--business", options->business,
                   "the store that this configuration of a business server names")
      ->type_name("FILE")
      ->excludes(url);
}

}  // namespace

void AddStoreCommands(CLI::App* app, Invocation* invocation) {
  CLI::App* noun = app->add_subcommand("store", "the SQL store: check it, bring its tables up");
  noun->require_subcommand(1);
  auto options = std::make_shared<StoreOptions>();

  CLI::App* check = noun->add_subcommand(
      "check", "schema and integrity: a business server's look, or one's own (more thorough)");
  AddPlace(check, options);
  check->callback([=] {
    if (!options->direct()) {
      invocation->ask = AskForCheck;
    } else {
      invocation->run = [=](Output& output) { return CheckDirectly(*options, output); };
    }
  });

  CLI::App* migrate = noun->add_subcommand(
      "migrate", "make or raise the tables, as servers do when they start: before they do");
  AddPlace(migrate, options);
  migrate->callback([=] {
    if (!options->direct()) throw CLI::RequiredError("--url or --business");
    invocation->run = [=](Output& output) { return MigrateDirectly(*options, output); };
  });
}

}  // namespace admin
