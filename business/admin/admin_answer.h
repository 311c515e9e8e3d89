// What an admin call is answered with.
#pragma once

#include <string>
#include <string_view>

#include "lib/runtime/result.h"

namespace google::protobuf {
class MessageLite;
}

namespace business {

// gRPC's status codes, those that proto/admin.proto names.
enum class AdminCode : int {
  kOk = 0,
  kInvalidArgument = 3,
  kNotFound = 5,
  kAlreadyExists = 6,
  kUnimplemented = 12,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

struct AdminAnswer {
  AdminCode code = AdminCode::kOk;
  std::string message;   // one sentence for people; empty if kOk
  std::string response;  // serialised; empty unless kOk

  static AdminAnswer Ok(const google::protobuf::MessageLite& response);
  static AdminAnswer InvalidArgument(std::string message);
  static AdminAnswer NotFound(std::string message);
  static AdminAnswer AlreadyExists(std::string message);
  static AdminAnswer Unavailable(std::string message);
  // Redis or the store was of no help. `doing` begins the sentence: "deleting the account".
  static AdminAnswer Trouble(std::string_view doing, const runtime::Error& error);
};

}  // namespace business
