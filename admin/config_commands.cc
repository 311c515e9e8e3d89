#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "lib/runtime/config.h"
#include "proto/admin.pb.h"
#include "proto/config/admin.pb.h"
#include "proto/config/business.pb.h"
#include "proto/config/connmgr.pb.h"

namespace admin {
namespace {

struct CheckOptions {
  std::string file, tier;
};

std::unique_ptr<google::protobuf::Message> NewConfig(const std::string& tier) {
  if (tier == "connmgr") return std::make_unique<xylem::config::Connmgr>();
  if (tier == "business") return std::make_unique<xylem::config::Business>();
  return std::make_unique<xylem::config::Xylemctl>();
}

// The file alone: the environment of this shell is not the one the process will have.
ExitCode CheckConfig(const CheckOptions& options, Output& output) {
  const std::vector<std::string> errors = runtime::LoadConfig(
      {.file = options.file, .environment_prefix = ""}, NewConfig(options.tier).get());
  if (output.json()) {
    output.WriteJson({{"good", errors.empty()}, {"errors", errors}});
  } else if (errors.empty()) {
    output.WriteLine(options.file + " is good");
  }
  for (const std::string& error : errors) output.WriteNote(error);
  return errors.empty() ? ExitCode::kOk : ExitCode::kBadConfig;
}

ExitCode PrintConfig(AdminClient& client, Output& output) {
  xylem::v1::ConfigText text;
  std::optional<Failure> failure = client.Call("PrintConfig", xylem::v1::Empty(), &text);
  if (failure.has_value()) return output.Fail(*failure);
  if (output.json()) {
    output.WriteJson({{"yaml", text.yaml()}});
  } else {
    std::string yaml = text.yaml();
    if (!yaml.empty() && yaml.back() == '\n') yaml.pop_back();
    output.WriteLine(yaml);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddConfigCommands(CLI::App* app, Invocation* invocation) {
  CLI::App* noun =
      app->add_subcommand("config", "check a configuration file, print the running one");
  noun->require_subcommand(1);

  auto options = std::make_shared<CheckOptions>();
  CLI::App* check = noun->add_subcommand("check", "check a YAML file; needs no server");
  check->add_option("FILE", options->file, "the YAML file")->required()->type_name("");
  check->add_option("--tier", options->tier, "the program that will read it")
      ->required()
      ->type_name("TIER")
      ->check(CLI::IsMember({"connmgr", "business", "xylemctl"}));
  check->callback(
      [=] { invocation->run = [=](Output& output) { return CheckConfig(*options, output); }; });

  noun->add_subcommand("print", "print the configuration of the business server that answers")
      ->callback([=] { invocation->ask = PrintConfig; });
}

}  // namespace admin
