// What a process tells about itself: processor time by kind of thread, memory, descriptors, loops.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <string>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"

#ifndef XYLEM_COMMIT
#define XYLEM_COMMIT "unknown"
#endif

namespace runtime {
namespace {

double ProcessCpuSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  double total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double OpenDescriptors() {
  // Since Linux 6.2 the directory's size is the count; walking 20,000 entries would stall the loop.
  struct stat info {};
  if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    return static_cast<double>(info.st_size);
  }
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  double count = -3;  // ".", "..", and the directory itself
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

double MaxDescriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

// "loop-0" → "loop", "rpc-12" → "rpc", "grpcpp_sync_ser" as it is.
std::string ThreadClass(std::string name) {
  size_t end = name.find_last_not_of("0123456789");
  if (end != std::string::npos) name.resize(end + 1);
  while (!name.empty() && (name.back() == '-' || name.back() == '_')) name.pop_back();
  return name.empty() ? "other" : name;
}

// Sums of threads that ended stay in: a counter must not fall.
class ThreadCpu {
 public:
  // Called under the registry's mutex.
  std::map<std::string, double> Read() {
    DIR* dir = opendir("/proc/self/task");
    if (dir == nullptr) return seconds_;
    std::map<std::string, uint64_t> seen;
    while (dirent* entry = readdir(dir)) {
      if (entry->d_name[0] == '.') continue;
      std::string id = entry->d_name, base = "/proc/self/task/" + id;
      std::ifstream schedstat(base + "/schedstat"), comm(base + "/comm");
      uint64_t ns = 0;
      std::string name;
      if (!(schedstat >> ns) || !std::getline(comm, name)) continue;  // ended meanwhile
      if (name == main_) name = "main";
      auto last = last_ns_.find(id);
      // Less than before: the id belongs to a new thread.
      uint64_t before = last == last_ns_.end() || last->second > ns ? 0 : last->second;
      seconds_[ThreadClass(name)] += static_cast<double>(ns - before) / 1e9;
      seen[id] = ns;
    }
    last_ns_ = std::move(seen);
    closedir(dir);
    return seconds_;
  }

 private:
  static std::string ReadMainName() {
    std::ifstream comm("/proc/self/comm");
    std::string name;
    std::getline(comm, name);
    return name;
  }
  const std::string main_ = ReadMainName();
  std::map<std::string, uint64_t> last_ns_;  // by thread id
  std::map<std::string, double> seconds_;
};

}  // namespace

void AddProcessMetrics(const std::string& tier) {
  Metrics& metrics = Metrics::Get();
  metrics.AddCounterFunction("xylem_process_cpu_seconds_total",
                             "User and system time of the process.", {}, ProcessCpuSeconds);
  metrics.AddCounterFamily("xylem_process_thread_cpu_seconds_total",
                           "User and system time by kind of thread, as scraped.", "thread",
                           [cpu = std::make_shared<ThreadCpu>()] { return cpu->Read(); });
  metrics.AddGaugeFunction("xylem_process_resident_memory_bytes", "Resident memory.", {},
                           ResidentBytes);
  metrics.AddGaugeFunction("xylem_process_open_fds", "Open file descriptors.", {}, OpenDescriptors);
  metrics.AddGaugeFunction("xylem_process_max_fds", "Most file descriptors that may be open.", {},
                           MaxDescriptors);
  double start = static_cast<double>(time(nullptr));
  metrics.AddGaugeFunction("xylem_process_start_time_seconds",
                           "When the process started, in seconds since the epoch.", {},
                           [start] { return start; });
  metrics.AddGaugeFunction("xylem_build_info", "Always 1; the labels say what runs.",
                           {{"tier", tier}, {"version", XYLEM_VERSION}, {"commit", XYLEM_COMMIT}},
                           [] { return 1.0; });
  for (LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    metrics.AddCounterFunction("xylem_log_lines_total", "Log lines by level.",
                               {{"level", std::string(LogLevelName(level))}},
                               [level] { return static_cast<double>(LogLines(level)); });
  }
  metrics.AddCounterFunction("xylem_log_dropped_total",
                             "Log lines dropped because the queue was full.", {},
                             [] { return static_cast<double>(DroppedLogLines()); });
  metrics.AddCounterFunction("xylem_log_write_errors_total",
                             "Writes of the log that failed, as with a full disk.", {},
                             [] { return static_cast<double>(LogWriteErrors()); });
}

void AddLoopMetrics(const std::string& name, LoopGroup* loops) {
  Metrics& metrics = Metrics::Get();
  for (int i = 0; i < loops->size(); ++i) {
    EventLoop::Stats* stats = &loops->at(i).stats();
    Labels labels{{"group", name}, {"loop", std::to_string(i)}};
    metrics.AddCounterFunction(
        "xylem_loop_turns_total", "Turns of the event loop.", labels,
        [stats] { return static_cast<double>(stats->turns.load(std::memory_order_relaxed)); });
    metrics.AddCounterFunction(
        "xylem_loop_busy_seconds_total", "Time spent inside turns.", labels, [stats] {
          return static_cast<double>(stats->busy_us.load(std::memory_order_relaxed)) / 1e6;
        });
    metrics.AddGaugeFunction(
        "xylem_loop_longest_turn_seconds",
        "The longest turn since the scrape before: the loop's lag.", labels, [stats] {
          return static_cast<double>(stats->max_turn_us.exchange(0, std::memory_order_relaxed)) /
                 1e6;
        });
    metrics.AddCounterFunction(
        "xylem_loop_posts_total", "Work handed over from other threads.", labels,
        [stats] { return static_cast<double>(stats->posts.load(std::memory_order_relaxed)); });
  }
}

}  // namespace runtime
