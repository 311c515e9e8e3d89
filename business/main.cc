// A business server: reads its configuration, runs until SIGTERM.
#include <cstdio>
#include <string>

#include "business/features/doap_file.h"
#include "business/features/feature_list.h"
#include "business/features/spec_table.h"
#include "business/server.h"
#include "business/settings.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"
#include "lib/runtime/rpc.h"
#include "proto/config/business.pb.h"

namespace business {
namespace {

int Run(int argc, char** argv) {
  xylem::config::Business config;
  const runtime::CommandLine line = runtime::ParseCommandLine(argc, argv, "business", &config);
  if (line.list_specs) {
    std::fputs(SpecTable(AllFeatures({})).c_str(), stdout);
    return 0;
  }
  if (line.print_doap) {
    std::fputs(DoapFile(AllFeatures({})).c_str(), stdout);
    return 0;
  }
  runtime::BlockSignals();
  Settings settings;
  const auto errors = Settings::Read(config, &settings);
  for (const std::string& error : errors) std::fprintf(stderr, "%s\n", error.c_str());
  if (!errors.empty()) return 2;
  if (line.check_config) return 0;
  runtime::PrepareRpc(settings.loops);
  runtime::StartLog(line.log);
  int code = 1;
  {
    Server server(settings, line.id);
    if (server.Start()) {
      runtime::WaitForTermination(nullptr);  // SIGHUP opens the log anew
      code = 0;
    }
    server.Leave();
  }
  runtime::LogInfo("stopped", "The business server has left.", {{"exit_code", code}});
  runtime::FlushLog();
  return code;
}

}  // namespace
}  // namespace business

int main(int argc, char** argv) { return business::Run(argc, argv); }
