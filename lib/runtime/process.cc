#include "lib/runtime/process.h"

#include <sys/random.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>

#include "lib/runtime/check.h"

namespace runtime {
namespace {

constexpr int kExitBadConfig = 2;
constexpr int kExitBadUsage = 64;  // EX_USAGE

std::string DefaultId(const std::string& tier) {
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  return tier + "-" + host + "-" + std::to_string(getpid());
}

sigset_t HandledSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

CommandLine ParseCommandLine(int argc, char** argv, const std::string& tier,
                             google::protobuf::Message* config) {
  CommandLine line;
  bool print = false, describe = false;
  std::string level = "info";
  CLI::App app("Xylem " + tier, tier);
  app.set_version_flag("--version", tier + " (Xylem) " XYLEM_VERSION);
  app.add_option("--config", line.config.file, "YAML configuration file")->type_name("FILE");
  app.add_option("--set", line.config.set, "set a configuration key, after file and environment")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--id", line.id, "name of this process in logs and metrics")->type_name("ID");
  app.add_option("--log", line.log.file, "log file; stderr without it")->type_name("FILE");
  app.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_flag("--check-config", line.check_config, "check the configuration and exit: 0 good, 2 bad");
  app.add_flag("--print-config", print, "print the effective configuration and exit");
  app.add_flag("--describe-config", describe, "print the manual of the configuration and exit");
  if (tier == "business") {
    app.add_flag("--list-specs", line.list_specs, "print the implemented XEPs and exit");
    app.add_flag("--print-doap", line.print_doap, "print them as a DOAP file (XEP-0453) and exit");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? 0 : kExitBadUsage);
  }

  if (describe) {
    std::cout << DescribeConfig(*config) << std::flush;
    std::exit(0);
  }
  if (!line.list_specs && !line.print_doap) {
    std::vector<std::string> errors = LoadConfig(line.config, config);
    for (const std::string& error : errors) std::cerr << error << '\n';
    if (!errors.empty()) std::exit(kExitBadConfig);
  }
  if (print) {
    std::cout << PrintConfig(*config) << std::flush;
    std::exit(0);
  }

  if (line.id.empty()) line.id = DefaultId(tier);
  line.log.tier = tier;
  line.log.id = line.id;
  line.log.level = ParseLogLevel(level).value_or(LogLevel::kInfo);
  return line;
}

void BlockSignals() {
  sigset_t set = HandledSignals();
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  std::signal(SIGPIPE, SIG_IGN);
}

void WaitForTermination(const std::function<void()>& reload,
                        const std::function<bool()>& poll_stop) {
  sigset_t set = HandledSignals();
  timespec step{.tv_sec = 0, .tv_nsec = 100'000'000};
  for (;;) {
    int signal = poll_stop ? sigtimedwait(&set, nullptr, &step) : sigwaitinfo(&set, nullptr);
    if (signal == SIGTERM || signal == SIGINT) return;
    if (signal == SIGHUP) {
      ReopenLog();
      if (reload) reload();
    }
    if (poll_stop && poll_stop()) return;
  }
}

uint64_t NewIncarnation() {
  uint64_t value = 0;
  while (value == 0) {
    ssize_t n = getrandom(&value, sizeof value, 0);
    CHECK(n == sizeof value || errno == EINTR);
  }
  return value;
}

std::string ReadSecretFile(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  std::string secret;
  if (file != nullptr) {
    char buffer[4096];
    size_t n;
    while ((n = std::fread(buffer, 1, sizeof buffer, file)) > 0) secret.append(buffer, n);
  }
  if (file == nullptr || std::ferror(file) != 0) {
    std::fprintf(stderr, "%s: cannot be read: %s\n", path.c_str(), std::strerror(errno));
    std::exit(kExitBadConfig);
  }
  std::fclose(file);
  if (!secret.empty() && secret.back() == '\n') secret.pop_back();
  if (!secret.empty() && secret.back() == '\r') secret.pop_back();
  return secret;
}

#ifdef XYLEM_KILL_POINTS
namespace {
struct KillAt {
  std::string name;
  std::atomic<long> left{0};
  KillAt() {
    const char* value = std::getenv("XYLEM_KILL_AT");
    if (value == nullptr) return;
    std::string text = value;
    size_t colon = text.rfind(':');
    name = text.substr(0, colon);
    left = colon == std::string::npos ? 1 : std::atol(text.c_str() + colon + 1);
  }
};
}  // namespace

void KillPoint(const char* name) {
  static KillAt at;
  if (at.name.empty() || at.name != name) return;
  if (at.left.fetch_sub(1) == 1) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}
#endif

}  // namespace runtime
