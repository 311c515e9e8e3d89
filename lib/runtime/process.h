// What every `main` does: command line, configuration, log, signals, loops.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/runtime/config.h"
#include "lib/runtime/log.h"

namespace runtime {

// --config FILE, --set key=value, --id ID, --log FILE, --check-config, --print-config,
// --describe-config, --version and what the tier adds.
struct CommandLine {
  ConfigSource config;
  std::string id;  // "connmgr-1"; default tier-<hostname>-<pid>
  LogOptions log;
  bool list_specs = false;    // business only, as the next
  bool print_doap = false;
  bool check_config = false;  // the tier looks at what the values name, says so and exits: 0 or 2
};

// Parses argv and loads `config`. Exits the process itself for --help, --version, --print-config,
// --describe-config, bad usage (64) and bad configuration (2, one sentence a line on stderr).
CommandLine ParseCommandLine(int argc, char** argv, const std::string& tier,
                             google::protobuf::Message* config);

// Blocks SIGTERM, SIGINT, SIGHUP in all threads (call before any thread starts), SIGPIPE ignored.
void BlockSignals();
// Waits in the calling thread; SIGHUP calls `reload`, SIGTERM or SIGINT returns. `poll_stop` is
// asked each 100 ms and ends the wait when true (drain by POST).
void WaitForTermination(const std::function<void()>& reload,
                        const std::function<bool()>& poll_stop = nullptr);

// Random 64-bit number that names this run of the process; never 0.
uint64_t NewIncarnation();

// Reads a secret file, trailing newline cut. Exits with a sentence when it cannot be read.
std::string ReadSecretFile(const std::string& path);

// Kill points of the fault suite (tests/cluster): in builds with XYLEM_KILL_POINTS, the process
// kills itself with SIGKILL when the named point is passed for the Nth time, as
// XYLEM_KILL_AT=name:N says.
#ifdef XYLEM_KILL_POINTS
void KillPoint(const char* name);
#else
inline void KillPoint(const char*) {}
#endif

}  // namespace runtime
