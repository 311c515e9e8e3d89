// A real redis-server of a test: its own directory, its own sockets, ended by pid.
#pragma once

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace runtime {

// Looks at `condition`, which something else makes true, until it is or ten seconds are over.
template <typename Condition>
testing::AssertionResult Eventually(Condition condition) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure() << "late";
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return testing::AssertionSuccess();
}

// A port that nobody listened on a moment ago.
inline int FreePort() {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size), 0);
  close(fd);
  return ntohs(at.sin_port);
}

class RedisServer {
 public:
  using Words = std::vector<std::string>;

  // `options` as on redis-server's command line. Listens on a unix socket, or on `port` as well.
  explicit RedisServer(Words options = {}, int port = 0)
      : options_(std::move(options)), port_(port) {
    std::string pattern = (std::filesystem::temp_directory_path() / "xylem-redis-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    Start();
  }
  ~RedisServer() {
    Kill();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string address() const {
    return port_ != 0 ? "127.0.0.1:" + std::to_string(port_) : "unix:" + socket_path();
  }
  int port() const { return port_; }
  std::string File(const std::string& name) const { return dir_ + "/" + name; }

  // Starts it (again) on what lies in its directory, and waits until it answers.
  void Start() {
    std::vector<std::string> words{"redis-server",
                                   "--port",
                                   std::to_string(port_),
                                   "--bind",
                                   "127.0.0.1",
                                   "--unixsocket",
                                   socket_path(),
                                   "--dir",
                                   dir_,
                                   "--logfile",
                                   File("redis.log"),
                                   "--save",
                                   "",
                                   "--daemonize",
                                   "no"};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves nothing behind
      execvp(argv[0], argv.data());
      _exit(127);
    }
    ASSERT_TRUE(Eventually([&] { return Do({"PING"}) != ""; })) << "redis-server in " << dir_;
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void Pause() { kill(pid_, SIGSTOP); }
  void Resume() { kill(pid_, SIGCONT); }
  // Gone, with all it had.
  void RestartEmpty() {
    Kill();
    std::filesystem::remove(File("dump.rdb"));
    Start();
  }

  // A command beside the client under test. Text of the reply (numbers in decimal, arrays by line),
  // empty if there was none.
  std::string Do(const Words& words) const {
    std::unique_ptr<redisContext, void (*)(redisContext*)> context(
        redisConnectUnixWithTimeout(socket_path().c_str(), {2, 0}), redisFree);
    if (context == nullptr || context->err != 0) return "";
    redisSetTimeout(context.get(), {5, 0});
    std::vector<const char*> argv;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      argv.push_back(word.data());
      sizes.push_back(word.size());
    }
    auto* reply = static_cast<redisReply*>(
        redisCommandArgv(context.get(), static_cast<int>(argv.size()), argv.data(), sizes.data()));
    if (reply == nullptr) return "";
    std::string text = TextOf(*reply);
    freeReplyObject(reply);
    return text;
  }
  int64_t Number(const Words& words) const { return strtoll(Do(words).c_str(), nullptr, 10); }
  // A field of INFO ("master_replid").
  std::string Info(const std::string& field) const {
    std::string all = "\r\n" + Do({"INFO", "everything"});
    size_t at = all.find("\r\n" + field + ":");
    if (at == std::string::npos) return "";
    at += field.size() + 3;
    return all.substr(at, all.find("\r\n", at) - at);
  }

 private:
  std::string socket_path() const { return dir_ + "/redis.sock"; }

  static std::string TextOf(const redisReply& reply) {
    if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
    if (reply.type == REDIS_REPLY_ARRAY) {
      std::string text;
      for (size_t i = 0; i < reply.elements; ++i) text += TextOf(*reply.element[i]) + "\n";
      return text;
    }
    return reply.str != nullptr ? std::string(reply.str, reply.len) : std::string();
  }

  const Words options_;
  const int port_;
  std::string dir_;
  pid_t pid_ = 0;
};

}  // namespace runtime
