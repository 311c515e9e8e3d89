// What tests of the store share: a loop, a directory of their own, and waiting for a task.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "business/store/account_store.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/task.h"

namespace business {

// A directory that ends with the test.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "xylem-store-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <typename T>
runtime::Task<void> Deliver(runtime::Task<T> task, std::shared_ptr<std::promise<T>> promise) {
  T value = co_await task;
  promise->set_value(std::move(value));
}

// Starts `make()` on the loop; the future has what it returns.
template <typename Make>
auto StartOn(runtime::EventLoop& loop, Make make) {
  using T = decltype(make().await_resume());
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  loop.Post(
      [make = std::move(make), promise]() mutable { runtime::Spawn(Deliver<T>(make(), promise)); });
  return future;
}

// The same, and waits; a task that takes a minute fails the test binary.
template <typename Make>
auto RunOn(runtime::EventLoop& loop, Make make) {
  auto future = StartOn(loop, std::move(make));
  if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
    ADD_FAILURE() << "no answer in a minute";
    abort();
  }
  return future.get();
}

inline xmpp::sasl::ScramKeys KeysFor(xmpp::sasl::Hash hash, const std::string& seed) {
  return {.hash = hash,
          .iterations = 4096,
          .salt = seed + std::string("\0salt", 5),
          .stored_key = seed + std::string("stored\0", 7),
          .server_key = seed + "server"};
}

inline Account MakeAccount(const std::string& jid, const std::string& seed = "x") {
  Account account;
  account.jid = xmpp::BareJid::FromNormalized(jid);
  account.keys = {KeysFor(xmpp::sasl::Hash::kSha1, seed), KeysFor(xmpp::sasl::Hash::kSha256, seed),
                  KeysFor(xmpp::sasl::Hash::kSha512, seed)};
  account.created = 1700000000;
  account.password_changed = 1700000001;
  return account;
}

}  // namespace business
