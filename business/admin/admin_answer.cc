#include "business/admin/admin_answer.h"

#include <google/protobuf/message_lite.h>

#include <utility>

namespace business {

AdminAnswer AdminAnswer::Ok(const google::protobuf::MessageLite& response) {
  return {AdminCode::kOk, {}, response.SerializeAsString()};
}
AdminAnswer AdminAnswer::InvalidArgument(std::string message) {
  return {AdminCode::kInvalidArgument, std::move(message), {}};
}
AdminAnswer AdminAnswer::NotFound(std::string message) {
  return {AdminCode::kNotFound, std::move(message), {}};
}
AdminAnswer AdminAnswer::AlreadyExists(std::string message) {
  return {AdminCode::kAlreadyExists, std::move(message), {}};
}
AdminAnswer AdminAnswer::Unavailable(std::string message) {
  return {AdminCode::kUnavailable, std::move(message), {}};
}

AdminAnswer AdminAnswer::Trouble(std::string_view doing, const runtime::Error& error) {
  std::string message = std::string(doing) + ": " + error.message;
  // R4: the third outcome is the operator's to resolve; we do not repeat it behind their back.
  if (error.unknown()) message += " (it may have happened all the same: look before repeating)";
  return Unavailable(std::move(message));
}

}  // namespace business
