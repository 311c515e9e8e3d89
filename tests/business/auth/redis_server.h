// A real redis-server of the test's own, on a unix socket in a directory of its own.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/business/store/store_fixture.h"

namespace business {

class RedisServer {
 public:
  RedisServer() { Start(); }
  ~RedisServer() { Kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string address() const { return "unix:" + socket_; }

  // Waits until it answers connections; a minute without one fails the test binary.
  void Start() {
    std::vector<std::string> words{"redis-server", "--port",    "0",
                                   "--unixsocket", socket_,     "--unixsocketperm",
                                   "700",          "--dir",     dir_.path(),
                                   "--save",       "",          "--appendonly",
                                   "no",           "--logfile", dir_.File("log")};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ASSERT_EQ(posix_spawnp(&pid_, "redis-server", nullptr, nullptr, argv.data(), environ), 0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!Answers()) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "redis-server does not start";
        abort();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  void Kill() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
    unlink(socket_.c_str());
  }

 private:
  bool Answers() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_.c_str(), sizeof address.sun_path - 1);
    const bool connected =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return connected;
  }

  TempDir dir_;
  const std::string socket_ = dir_.File("redis.sock");
  pid_t pid_ = 0;
};

}  // namespace business
