#include "business/store/write_turn.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

namespace business {
namespace {

constexpr int kNext = 0;
constexpr int kTurn = 1;
constexpr std::chrono::microseconds kStep{200};  // a commit takes some milliseconds

}  // namespace

WriteTurn::~WriteTurn() {
  if (fd_ >= 0) close(fd_);
}

bool WriteTurn::Take(std::chrono::milliseconds patience) {
  if (fd_ < 0) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) {
      error_ = path_ + ": " + std::strerror(errno);
      return false;
    }
  }
  const auto until = std::chrono::steady_clock::now() + patience;
  if (!Wait(kNext, until)) return false;
  const bool mine = Wait(kTurn, until);
  Lock(kNext, F_UNLCK);
  return mine;
}

void WriteTurn::Give() { Lock(kTurn, F_UNLCK); }

bool WriteTurn::Wait(int byte, std::chrono::steady_clock::time_point until) {
  while (!Lock(byte, F_WRLCK)) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      error_ = path_ + ": " + std::strerror(errno);
      return false;
    }
    if (std::chrono::steady_clock::now() >= until) {
      error_ = "another process has been writing for too long";
      return false;
    }
    std::this_thread::sleep_for(kStep);
  }
  return true;
}

bool WriteTurn::Lock(int byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  // Of the open file, not of the process: closing another descriptor of it frees nothing.
  return fcntl(fd_, F_OFD_SETLK, &lock) == 0;
}

}  // namespace business
