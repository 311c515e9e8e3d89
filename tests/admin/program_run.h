// Runs a program to its end and keeps what it wrote.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace admin {

struct ProgramRun {
  int exit = -1;
  std::string out, err;
};

// `environment`: NAME=VALUE, all that it gets, besides the options of sanitizers. It has no
// terminal. Longer than a minute: killed.
inline ProgramRun RunProgram(std::vector<std::string> words, const std::string& input = "",
                             std::vector<std::string> environment = {}) {
  int in[2], out[2], err[2];
  EXPECT_EQ(pipe(in), 0);
  EXPECT_EQ(pipe(out), 0);
  EXPECT_EQ(pipe(err), 0);
  for (const std::string name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name.c_str())) environment.push_back(name + "=" + value);
  }
  std::vector<char*> argv, env;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& variable : environment) env.push_back(variable.data());
  argv.push_back(nullptr);
  env.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    for (int fd : {in[0], in[1], out[0], out[1], err[0], err[1]}) close(fd);
    alarm(60);
    execve(argv[0], argv.data(), env.data());
    _exit(127);
  }
  for (int fd : {in[0], out[1], err[1]}) close(fd);
  // A program that does not read its input ends the pipe, not this test.
  signal(SIGPIPE, SIG_IGN);
  (void)!write(in[1], input.data(), input.size());
  close(in[1]);

  ProgramRun run;
  pollfd ends[2] = {{.fd = out[0], .events = POLLIN}, {.fd = err[0], .events = POLLIN}};
  std::string* texts[2] = {&run.out, &run.err};
  for (int open = 2; open > 0;) {
    poll(ends, 2, -1);
    for (int i = 0; i < 2; ++i) {
      if (ends[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = read(ends[i].fd, buffer, sizeof buffer);
      if (n > 0) {
        texts[i]->append(buffer, static_cast<size_t>(n));
        continue;
      }
      close(ends[i].fd);
      ends[i].fd = -1;
      --open;
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  run.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return run;
}

}  // namespace admin
