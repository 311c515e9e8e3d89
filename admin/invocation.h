// One run of xylemctl: what its command line says, and what the chosen verb does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "admin/exit_code.h"

namespace CLI {
class App;
}

namespace admin {

class AdminClient;
class Output;

// Filled by CLI11 while it parses; the action runs afterwards, when every option is known.
struct Invocation {
  std::vector<std::string> addresses;  // empty: the configuration's
  std::string token_file;
  std::string config_file;
  double timeout_seconds = 0;  // 0: the verb's own
  bool json = false;

  // One of the two.
  std::function<ExitCode(AdminClient& client, Output& output)> ask;  // needs a business server
  std::function<ExitCode(Output& output)> run;                       // does not
};

// Each adds its noun with its verbs to xylemctl; `invocation` outlives `app`'s parsing.
void AddUserCommands(CLI::App* app, Invocation* invocation);
void AddRosterCommands(CLI::App* app, Invocation* invocation);
void AddSessionCommands(CLI::App* app, Invocation* invocation);
void AddManagerCommands(CLI::App* app, Invocation* invocation);
void AddDomainCommands(CLI::App* app, Invocation* invocation);
void AddStoreCommands(CLI::App* app, Invocation* invocation);
void AddConfigCommands(CLI::App* app, Invocation* invocation);
void AddTransferCommands(CLI::App* app, Invocation* invocation);
void AddDoctorCommand(CLI::App* app, Invocation* invocation);

}  // namespace admin
