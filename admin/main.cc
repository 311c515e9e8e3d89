// xylemctl: an operator's command line for a Xylem cluster.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "admin/admin_client.h"
#include "admin/client_settings.h"
#include "admin/invocation.h"
#include "admin/output.h"

namespace admin {
namespace {

constexpr char kFooter[] =
    "These options may stand behind a verb as well. The token: --token-file, or the environment's\n"
    "XYLEMCTL_TOKEN, or `token` in the --config file, in this order.\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 bad configuration, 3 not found, 4 already there,\n"
    "5 no server reached or it cannot now, 6 not allowed (token), 64 usage.\n"
    "\n"
    "Examples:\n"
    "  xylemctl user add juliet@example.org\n"
    "  xylemctl session kick juliet@example.org/balcony --text 'Good night.'\n"
    "  xylemctl manager drain connmgr-1\n"
    "  xylemctl doctor --json";

constexpr char kVerbFooter[] =
    "Options of xylemctl itself may stand here too (--json, --address …): see xylemctl --help.";

void AddGlobalOptions(CLI::App* app, Invocation* invocation) {
  app->set_version_flag("--version", "xylemctl (Xylem) " XYLEM_VERSION);
  app->add_option("--address", invocation->addresses,
                  "a business server; several are tried in order (default 127.0.0.1:5281)")
      ->type_name("HOST:PORT")
      ->delimiter(',')
      ->allow_extra_args(false);
  app->add_option("--token-file", invocation->token_file, "file with the admin token")
      ->type_name("FILE");
  app->add_option("--config", invocation->config_file,
                  "YAML file with addresses, token and certificates")
      ->type_name("FILE");
  app->add_option("--timeout", invocation->timeout_seconds, "wait this long for an answer")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
  app->add_flag("--json", invocation->json, "write one JSON object instead of text");
}

ExitCode Run(const Invocation& invocation) {
  Output output(invocation.json, &std::cout, &std::cerr);
  if (invocation.run) return invocation.run(output);
  ClientSettings settings;
  std::optional<Failure> failure = LoadSettings(invocation, &settings);
  if (failure.has_value()) return output.Fail(*failure);
  AdminClient client(std::move(settings), invocation.timeout_seconds);
  return invocation.ask(client, output);
}

}  // namespace
}  // namespace admin

int main(int argc, char** argv) {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // what matters is said by us, in one sentence
  admin::Invocation invocation;
  CLI::App app("Manages a Xylem cluster through any of its business servers.", "xylemctl");
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(admin::kVerbFooter);  // nouns and verbs take it over
  app.get_formatter()->column_width(28);
  admin::AddGlobalOptions(&app, &invocation);
  admin::AddUserCommands(&app, &invocation);
  admin::AddRosterCommands(&app, &invocation);
  admin::AddSessionCommands(&app, &invocation);
  admin::AddManagerCommands(&app, &invocation);
  admin::AddDomainCommands(&app, &invocation);
  admin::AddTransferCommands(&app, &invocation);
  admin::AddStoreCommands(&app, &invocation);
  admin::AddConfigCommands(&app, &invocation);
  admin::AddDoctorCommand(&app, &invocation);
  app.footer(admin::kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : static_cast<int>(admin::ExitCode::kUsage);
  }
  return static_cast<int>(admin::Run(invocation));
}
