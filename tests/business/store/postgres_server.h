// A real PostgreSQL server of a test: its own data directory and socket, ended by pid.
#pragma once

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "business/store/postgres_connection.h"

namespace business {

// With fsync, as in production. PostgreSQL refuses to run as root: there it runs as `postgres`.
class PostgresServer {
 public:
  PostgresServer() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "xylem-postgres-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    if (geteuid() == 0) {
      user_ = getpwnam("postgres");
      CHECK(user_ != nullptr && chown(dir_.c_str(), user_->pw_uid, user_->pw_gid) == 0);
    }
    int status = 0;
    const pid_t init = Spawn({Program("initdb"), "-D", dir_ + "/data", "-U", "xylem", "-A", "trust",
                              "-E", "UTF8", "--no-locale", "--no-sync"});
    CHECK(waitpid(init, &status, 0) == init && status == 0);
    Start();
  }
  ~PostgresServer() {
    Stop(SIGQUIT);
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  void Start() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until) {
      // One that was killed leaves children for a moment: its successor finds them and ends.
      if (pid_ == 0 || waitpid(pid_, nullptr, WNOHANG) == pid_) SpawnServer();
      if (PostgresConnection::Open({.url = Url("public")})) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    CHECK(false);
  }
  // SIGQUIT: immediately, without a checkpoint. SIGKILL leaves children, which end by themselves.
  void Stop(int signal) {
    if (pid_ == 0) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // A namespace of its own in one database.
  std::string Url(const std::string& schema) const {
    return "postgresql://xylem@/postgres?host=" + dir_ + "&options=-csearch_path%3D" + schema;
  }
  std::string FreshUrl() {
    const std::string schema = "test" + std::to_string(++schemas_);
    auto connection = PostgresConnection::Open({.url = Url("public")});
    CHECK(connection && (*connection)->Execute("CREATE SCHEMA " + schema));
    return Url(schema);
  }

 private:
  static std::string Program(const std::string& name) {
    for (int version = 20; version >= 14; --version) {
      std::string path = "/usr/lib/postgresql/" + std::to_string(version) + "/bin/" + name;
      if (access(path.c_str(), X_OK) == 0) return path;
    }
    return name;
  }
  void SpawnServer() {
    pid_ =
        Spawn({Program("postgres"), "-D", dir_ + "/data", "-c", "listen_addresses=", "-c",
               "unix_socket_directories=" + dir_, "-c", "max_connections=200", "-c", "fsync=on",
               // After a crash: one call instead of one for each file.
               "-c", "recovery_init_sync_method=syncfs"});
  }
  pid_t Spawn(std::vector<std::string> words) const {
    const pid_t child = fork();
    if (child != 0) return child;
    if (user_ != nullptr && (initgroups("postgres", user_->pw_gid) != 0 ||
                             setgid(user_->pw_gid) != 0 || setuid(user_->pw_uid) != 0)) {
      _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (freopen((dir_ + "/log").c_str(), "a", stdout) == nullptr || dup2(1, 2) < 0 ||
        chdir(dir_.c_str()) != 0) {
      _exit(126);
    }
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }

  std::string dir_;
  const passwd* user_ = nullptr;
  pid_t pid_ = 0;
  int schemas_ = 0;
};

}  // namespace business
