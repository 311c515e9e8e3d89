// A server of the Admin service that answers as the test says.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"
#include "proto/admin.pb.h"

namespace admin {

class FakeAdminServer {
 public:
  struct Answer {
    int code = 0;
    std::string message;
    std::string response;
  };
  struct Seen {
    std::string method, request, authorization;
  };

  FakeAdminServer() {
    server_ = runtime::RpcServer::Start(
        {.address = "127.0.0.1:0"}, &loops_, {}, {},
        [this](const std::string& method, std::string request, const std::string& authorization,
               runtime::RpcServer::Respond respond) {
          const Answer answer = AnswerTo(method, request, authorization);
          respond(answer.code, answer.message, answer.response);
        });
  }
  ~FakeAdminServer() { server_->Shutdown(); }

  std::string address() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  // From now on; by default every method is unimplemented. `make` gets the serialised request.
  void On(const std::string& method, std::function<Answer(const std::string& request)> make) {
    std::lock_guard lock(mutex_);
    answers_["/xylem.v1.Admin/" + method] = std::move(make);
  }
  void On(const std::string& method, const google::protobuf::MessageLite& response) {
    On(method, [bytes = response.SerializeAsString()](const std::string&) {
      return Answer{0, "", bytes};
    });
  }
  void Refuse(const std::string& method, int code, const std::string& message) {
    On(method, [=](const std::string&) { return Answer{code, message, ""}; });
  }

  std::vector<Seen> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  template <typename Request>
  Request LastRequest() const {
    Request request;
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(!seen_.empty() && request.ParseFromString(seen_.back().request));
    return request;
  }

 private:
  Answer AnswerTo(const std::string& method, const std::string& request,
                  const std::string& authorization) {
    std::lock_guard lock(mutex_);
    seen_.push_back({method, request, authorization});
    auto found = answers_.find(method);
    return found == answers_.end() ? Answer{12, "no such method", ""} : found->second(request);
  }

  mutable std::mutex mutex_;  // of what follows: calls come on gRPC's thread
  std::map<std::string, std::function<Answer(const std::string&)>> answers_;
  std::vector<Seen> seen_;
  runtime::LoopGroup loops_{"fake", 1};
  std::unique_ptr<runtime::RpcServer> server_;
};

}  // namespace admin
