// A loop with a Redis client, and questions that a test asks from outside the loop.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "lib/runtime/redis_client.h"
#include "tests/lib/runtime/redis_server.h"

namespace runtime {

template <typename T>
Task<void> DeliverTo(Task<T> task, std::shared_ptr<std::promise<T>> promise) {
  T value = co_await task;
  promise->set_value(std::move(value));
}

template <typename T>
T Await(std::future<T> future) {
  if (future.wait_for(std::chrono::seconds(20)) == std::future_status::ready) return future.get();
  ADD_FAILURE() << "no answer in twenty seconds";
  abort();
}

// A client on a loop of its own. `command_deadline` is short enough for a test to wait for.
class RedisOnLoop {
 public:
  explicit RedisOnLoop(RedisOptions options) : loops_("test", 1) {
    loops_.RunOn(0, [&] { client_ = RedisClient::Create(&loop(), std::move(options)); });
  }
  explicit RedisOnLoop(const std::string& address) : RedisOnLoop(OptionsFor(address)) {}
  // What waits for Redis is answered first: a coroutine that waits for ever would leak.
  ~RedisOnLoop() {
    EXPECT_TRUE(Eventually([&] { return client_->stats().outstanding == 0; }));
    loops_.RunOn(0, [&] { client_ = nullptr; });
    loops_.RunOn(0, [] {});
  }

  static RedisOptions OptionsFor(const std::string& address) {
    RedisOptions options;
    options.addresses = {address};
    options.reconnect_max = std::chrono::milliseconds(100);
    return options;
  }

  EventLoop& loop() { return loops_.at(0); }
  RedisClient* client() { return client_.get(); }

  void Run(Callback work) { loops_.RunOn(0, std::move(work)); }
  // What `read()` gives on the loop.
  template <typename Read>
  auto Get(Read read) {
    decltype(read()) value{};
    loops_.RunOn(0, [&] { value = read(); });
    return value;
  }
  RedisClient::State state() {
    return Get([&] { return client_->state(); });
  }
  bool IsUp() { return state() == RedisClient::State::kUp; }

  // Runs `make()`, which makes a task, and waits for what the task returns.
  template <typename Make>
  auto Wait(Make make) {
    using T = decltype(make().await_resume());
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    loops_.RunOn(0, [&] { Spawn(DeliverTo<T>(make(), promise)); });
    return Await(std::move(future));
  }

  std::future<RedisClient::Reply> Send(RedisClient::Args args) {
    auto promise = std::make_shared<std::promise<RedisClient::Reply>>();
    auto future = promise->get_future();
    loop().Post([this, args = std::move(args), promise]() mutable {
      std::string key = args.size() > 1 ? args[1] : "";
      client_->Command(key, std::move(args), [promise](RedisClient::Reply reply) {
        promise->set_value(std::move(reply));
      });
    });
    return future;
  }
  RedisClient::Reply Ask(RedisClient::Args args) { return Await(Send(std::move(args))); }
  // The same, for a value that has to come.
  RedisReply Must(RedisClient::Args args) {
    RedisClient::Reply reply = Ask(std::move(args));
    EXPECT_TRUE(reply.has_value()) << reply.error().message;
    return reply.has_value() ? *reply : RedisReply();
  }
  RedisClient::Reply Evaluate(const RedisScript& script, RedisClient::Args keys,
                              RedisClient::Args args) {
    return Wait([&] { return client_->Eval(script, std::move(keys), std::move(args)); });
  }

 private:
  LoopGroup loops_;
  std::unique_ptr<RedisClient> client_;
};

}  // namespace runtime
