// Calls of the Admin service (proto/admin.proto), one after the other.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "admin/client_settings.h"
#include "admin/exit_code.h"

namespace google::protobuf {
class MessageLite;
}
namespace grpc {
class Channel;
}

namespace admin {

// Blocks the calling thread. Addresses are tried in order until one is reached; that one is kept.
class AdminClient {
 public:
  // What to do when the connection broke after the request was sent, or the server says that it
  // cannot now: ask the next address, or leave it to the caller, because the answer to a second
  // call would be about the first one.
  enum class Repeat { kYes, kNo };

  AdminClient(ClientSettings settings, double timeout_seconds)
      : settings_(std::move(settings)), timeout_seconds_(timeout_seconds) {}

  // `method` as in "ListUsers". nullopt = `response` is filled. `deadline` is the verb's own,
  // --timeout goes before it.
  std::optional<Failure> Call(const std::string& method,
                              const google::protobuf::MessageLite& request,
                              google::protobuf::MessageLite* response, Repeat repeat = Repeat::kYes,
                              std::chrono::milliseconds deadline = std::chrono::seconds(10));

 private:
  std::optional<Failure> Connect(const std::string& address);

  const ClientSettings settings_;
  const double timeout_seconds_;
  size_t next_ = 0;  // address
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace admin
