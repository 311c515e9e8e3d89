#include "lib/runtime/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <thread>

#include "lib/runtime/json_text.h"

namespace runtime {
namespace {

constexpr size_t kMaxQueued = size_t{4} << 20;  // bytes
constexpr size_t kMaxField = 256;

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<uint64_t> g_lines[4];
std::atomic<uint64_t> g_dropped{0};
std::atomic<uint64_t> g_write_errors{0};

// The queue and the thread that empties it. Made once and never destroyed: threads may log until
// the very end. Writers hold the mutex for one append, the thread for one swap.
class LogWriter {
 public:
  static LogWriter& Get() {
    static LogWriter* writer = new LogWriter;
    return *writer;
  }

  void Start(const LogOptions& options) {
    std::lock_guard lock(mutex_);
    identity_.clear();
    if (!options.tier.empty()) {
      identity_ += ",\"tier\":";
      AppendJsonString(&identity_, options.tier, kMaxField);
    }
    if (!options.id.empty()) {
      identity_ += ",\"id\":";
      AppendJsonString(&identity_, options.id, kMaxField);
    }
    file_ = options.file;
    reopen_ = true;
    if (!running_) {
      running_ = true;
      std::thread([this] { Run(); }).detach();
    }
    wake_.notify_one();
  }

  void Reopen() {
    std::lock_guard lock(mutex_);
    reopen_ = true;
    wake_.notify_one();
  }

  void Push(LogLevel level, std::string_view event, std::string_view msg,
            std::initializer_list<LogField> fields) {
    std::string line;
    line.reserve(256);
    AppendHead(&line, level);
    std::string tail;
    tail.reserve(192);
    tail += ",\"event\":";
    AppendJsonString(&tail, event, kMaxField);
    tail += ",\"msg\":";
    AppendJsonString(&tail, msg, kMaxField);
    for (const LogField& field : fields) {
      tail.push_back(',');
      AppendJsonString(&tail, field.name, kMaxField);
      tail.push_back(':');
      if (field.number) {
        tail += field.text;
      } else {
        AppendJsonString(&tail, field.text, kMaxField);
      }
    }
    tail += "}\n";

    std::lock_guard lock(mutex_);
    if (!running_) {  // before StartLog: tests and early start-up
      line += identity_;
      line += tail;
      WriteAll(STDERR_FILENO, line);
      return;
    }
    if (queued_.size() + line.size() + tail.size() > kMaxQueued) {
      g_dropped.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    bool was_empty = queued_.empty();
    queued_ += line;
    queued_ += identity_;
    queued_ += tail;
    if (was_empty) wake_.notify_one();
  }

  void Flush() {
    std::unique_lock lock(mutex_);
    if (!running_ || std::this_thread::get_id() == thread_) return;
    // A dead disk must not hold up the exit.
    idle_.wait_for(lock, std::chrono::seconds(2),
                   [this] { return queued_.empty() && !writing_ && !reopen_; });
  }

 private:
  static void AppendHead(std::string* line, LogLevel level) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    char text[80];
    int n = std::snprintf(
        text, sizeof text, "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"level\":\"%s\"",
        utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        static_cast<int>(now.tv_nsec / 1000000), kLevelNames[static_cast<size_t>(level)].data());
    line->append(text, static_cast<size_t>(n));
  }

  // What cannot be written (disk full, pipe closed) is counted and forgotten.
  static void WriteAll(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = write(fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        g_write_errors.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  void Run() {
    pthread_setname_np(pthread_self(), "log");
    std::string batch;
    std::unique_lock lock(mutex_);
    thread_ = std::this_thread::get_id();
    for (;;) {
      wake_.wait(lock, [this] { return !queued_.empty() || reopen_; });
      batch.clear();
      batch.swap(queued_);
      bool reopen = reopen_;
      std::string file = file_;
      writing_ = true;
      lock.unlock();
      if (reopen) OpenFile(file);
      WriteAll(fd_, batch);
      lock.lock();
      if (reopen) reopen_ = false;
      writing_ = false;
      if (queued_.empty()) idle_.notify_all();
    }
  }

  void OpenFile(const std::string& file) {
    if (fd_ != STDERR_FILENO) close(fd_);
    fd_ = STDERR_FILENO;
    if (file.empty()) return;
    int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd >= 0) {
      fd_ = fd;
    } else {
      g_write_errors.fetch_add(1, std::memory_order_relaxed);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::string identity_, file_, queued_;
  bool running_ = false, reopen_ = false, writing_ = false;
  std::thread::id thread_;
  int fd_ = STDERR_FILENO;  // the thread's own
};

}  // namespace

void StartLog(const LogOptions& options) {
  SetLogLevel(options.level);
  LogWriter::Get().Start(options);
}

void ReopenLog() { LogWriter::Get().Reopen(); }
void FlushLog() { LogWriter::Get().Flush(); }
void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }
LogLevel CurrentLogLevel() { return g_level.load(std::memory_order_relaxed); }
bool LogEnabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }
uint64_t DroppedLogLines() { return g_dropped.load(std::memory_order_relaxed); }
uint64_t LogWriteErrors() { return g_write_errors.load(std::memory_order_relaxed); }
uint64_t LogLines(LogLevel level) {
  return g_lines[static_cast<size_t>(level)].load(std::memory_order_relaxed);
}

std::string_view LogLevelName(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (kLevelNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

void Log(LogLevel level, std::string_view event, std::string_view msg,
         std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  g_lines[static_cast<size_t>(level)].fetch_add(1, std::memory_order_relaxed);
  LogWriter::Get().Push(level, event, msg, fields);
}

}  // namespace runtime
