#include "admin/password_input.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

namespace admin {
namespace {

constexpr size_t kMaxBytes = 4096;

// The terminal without echo, for as long as this lives; signals wait, so that an interrupted
// prompt leaves no silent terminal behind.
class SilentTerminal {
 public:
  SilentTerminal() : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0 || tcgetattr(fd_, &before_) != 0) return;
    sigset_t interrupts;
    sigemptyset(&interrupts);
    for (int signal : {SIGINT, SIGTERM, SIGTSTP, SIGQUIT}) sigaddset(&interrupts, signal);
    sigprocmask(SIG_BLOCK, &interrupts, &mask_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    good_ = tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
    if (!good_) sigprocmask(SIG_SETMASK, &mask_, nullptr);
  }
  ~SilentTerminal() {
    if (good_) {
      tcsetattr(fd_, TCSAFLUSH, &before_);
      sigprocmask(SIG_SETMASK, &mask_, nullptr);
    }
    if (fd_ >= 0) close(fd_);
  }
  bool good() const { return good_; }

  std::string Ask(const std::string& question) {
    Say(question);
    std::string line;
    char c;
    while (line.size() < kMaxBytes && read(fd_, &c, 1) == 1 && c != '\n') line += c;
    Say("\n");
    return line;
  }

 private:
  void Say(const std::string& text) { (void)!write(fd_, text.data(), text.size()); }

  const int fd_;
  termios before_{};
  sigset_t mask_{};
  bool good_ = false;
};

}  // namespace

std::optional<Failure> ReadPassword(bool from_stdin, std::string* password) {
  if (from_stdin) {
    if (!std::getline(std::cin, *password)) {
      return Failure{ExitCode::kUsage, "USAGE", "standard input holds no password"};
    }
    if (!password->empty() && password->back() == '\r') password->pop_back();
    return std::nullopt;
  }
  SilentTerminal terminal;
  if (!terminal.good()) {
    return Failure{ExitCode::kUsage, "USAGE",
                   "there is no terminal to ask for the password on: give --password-stdin"};
  }
  *password = terminal.Ask("Password: ");
  if (terminal.Ask("The same again: ") != *password) {
    return Failure{ExitCode::kFailed, "FAILED", "the two passwords differ"};
  }
  return std::nullopt;
}

}  // namespace admin
