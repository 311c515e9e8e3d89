#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "proto/admin.pb.h"

namespace admin {
namespace {

using Check = xylem::v1::DoctorReport::Check;

const char* StateText(Check::State state) {
  switch (state) {
    case Check::OK:
      return "ok";
    case Check::WARNING:
      return "warning";
    default:
      return "failed";
  }
}

// A warning leaves the exit code at 0: a script stops for what failed.
ExitCode ShowReport(AdminClient& client, Output& output) {
  xylem::v1::DoctorReport report;
  // The store's integrity check reads the whole database.
  std::optional<Failure> failure = client.Call(
      "Doctor", xylem::v1::Empty(), &report, AdminClient::Repeat::kYes, std::chrono::seconds(120));
  if (failure.has_value()) return output.Fail(*failure);
  bool healthy = true;
  Json checks = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHECK", "STATE", ""}};
  for (const Check& check : report.checks()) {
    const std::string state = StateText(check.state());
    healthy = healthy && state != "failed";
    checks.push_back({{"name", check.name()}, {"state", state}, {"text", check.text()}});
    rows.push_back({check.name(), state, check.text()});
  }
  if (output.json()) {
    output.WriteJson({{"healthy", healthy}, {"checks", checks}});
  } else {
    output.WriteTable(rows);
  }
  return healthy ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace

void AddDoctorCommand(CLI::App* app, Invocation* invocation) {
  app->add_subcommand("doctor", "look at Redis, store, clocks, managers, certificates")
      ->callback([=] { invocation->ask = ShowReport; });
}

}  // namespace admin
