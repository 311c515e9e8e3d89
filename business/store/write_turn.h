// Whose turn it is to write: a fair lock between the processes that share a store file.
#pragma once

#include <chrono>
#include <string>

namespace business {

// Two byte locks on a file beside the store: who wants the turn first takes "next" and keeps it
// until the turn is free, so whoever just wrote queues up behind. SQLite's lock alone would let a
// busy process starve the others. The kernel frees both when a process dies. One per writer thread.
class WriteTurn {
 public:
  explicit WriteTurn(std::string path) : path_(std::move(path)) {}
  ~WriteTurn();
  WriteTurn(const WriteTurn&) = delete;
  WriteTurn& operator=(const WriteTurn&) = delete;

  // False when it was not free in `patience`, or the file cannot be used (`error()` says why).
  bool Take(std::chrono::milliseconds patience);
  void Give();
  const std::string& error() const { return error_; }

 private:
  bool Wait(int byte, std::chrono::steady_clock::time_point until);
  bool Lock(int byte, short type);  // NOLINT: fcntl's type

  const std::string path_;
  int fd_ = -1;
  std::string error_;
};

}  // namespace business
