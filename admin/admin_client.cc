#include "admin/admin_client.h"

#include <google/protobuf/message_lite.h>
#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <utility>

#include "lib/runtime/rpc_channel.h"

namespace admin {
namespace {

using google::protobuf::MessageLite;
using std::chrono::system_clock;

constexpr auto kConnectTime = std::chrono::seconds(3);

Failure Unreachable(std::string text) {
  return {ExitCode::kUnavailable, "UNAVAILABLE", std::move(text)};
}

std::pair<ExitCode, const char*> NameOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {ExitCode::kFailed, "INVALID_ARGUMENT"};
    case grpc::StatusCode::NOT_FOUND:
      return {ExitCode::kNotFound, "NOT_FOUND"};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {ExitCode::kAlreadyThere, "ALREADY_EXISTS"};
    case grpc::StatusCode::UNAVAILABLE:
      return {ExitCode::kUnavailable, "UNAVAILABLE"};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {ExitCode::kUnavailable, "DEADLINE_EXCEEDED"};
    case grpc::StatusCode::UNAUTHENTICATED:
      return {ExitCode::kNotAllowed, "UNAUTHENTICATED"};
    case grpc::StatusCode::PERMISSION_DENIED:
      return {ExitCode::kNotAllowed, "PERMISSION_DENIED"};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {ExitCode::kFailed, "UNIMPLEMENTED"};
    default:
      return {ExitCode::kFailed, "FAILED"};
  }
}

Failure FailureOf(const grpc::Status& status) {
  auto [exit, name] = NameOf(status.error_code());
  std::string text = status.error_message();
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    text = "no answer in time; it may have happened all the same: look before repeating";
  }
  return {exit, name, text.empty() ? name : std::move(text)};
}

// Ready, or refused: a channel by itself would go on trying until the deadline.
bool WaitReady(grpc::Channel& channel) {
  const auto deadline = system_clock::now() + kConnectTime;
  for (grpc_connectivity_state state = channel.GetState(true); state != GRPC_CHANNEL_READY;
       state = channel.GetState(true)) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (!channel.WaitForStateChange(state, deadline)) return false;
  }
  return true;
}

grpc::Status CallUnary(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                       const std::string& token, std::chrono::milliseconds deadline,
                       const MessageLite& request, MessageLite* response) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + token);
  context.set_deadline(system_clock::now() + deadline);
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const grpc::ByteBuffer out = runtime::internal::ToByteBuffer(request.SerializeAsString());
  grpc::ByteBuffer in;
  grpc::Status status;
  auto call = stub.PrepareUnaryCall(&context, "/xylem.v1.Admin/" + method, out, &queue);
  call->StartCall();
  call->Finish(&in, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) return status;
  grpc::Slice flat;
  const std::string_view bytes = runtime::internal::FrameView(in, &flat);
  if (!response->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return {grpc::StatusCode::INTERNAL, "the server's answer is malformed"};
  }
  return status;
}

}  // namespace

std::optional<Failure> AdminClient::Connect(const std::string& address) {
  if (settings_.credentials.empty() && !runtime::IsLoopback(address)) {
    return Failure{ExitCode::kBadConfig, "BAD_CONFIG",
                   address +
                       ": the token is not sent in plaintext beyond loopback; give rpc "
                       "certificates in the --config file"};
  }
  auto credentials = runtime::internal::ClientCredentials(settings_.credentials);
  if (credentials == nullptr) {
    return Failure{ExitCode::kBadConfig, "BAD_CONFIG", "the rpc certificates cannot be read"};
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // No channel shares another's connection state: each address is tried anew.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(address, credentials, arguments);
  if (WaitReady(*channel_)) return std::nullopt;
  channel_ = nullptr;
  return Unreachable("no business server answers at " + address);
}

std::optional<Failure> AdminClient::Call(const std::string& method, const MessageLite& request,
                                         MessageLite* response, Repeat repeat,
                                         std::chrono::milliseconds deadline) {
  if (timeout_seconds_ > 0) {
    deadline = std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds_ * 1000));
  }
  std::optional<Failure> failure;
  std::string unreachable;
  while (next_ < settings_.addresses.size()) {
    if (channel_ == nullptr) {
      failure = Connect(settings_.addresses[next_]);
      if (failure.has_value()) {
        if (failure->exit != ExitCode::kUnavailable) return failure;
        unreachable += (unreachable.empty() ? "" : "; ") + failure->text;
        ++next_;
        continue;
      }
    }
    const grpc::Status status =
        CallUnary(channel_, method, settings_.token, deadline, request, response);
    if (status.ok()) return std::nullopt;
    failure = FailureOf(status);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || repeat == Repeat::kNo) {
      return failure;
    }
    unreachable += (unreachable.empty() ? "" : "; ") + failure->text;
    channel_ = nullptr;
    ++next_;
  }
  return Unreachable(unreachable.empty() ? "no address to ask" : unreachable);
}

}  // namespace admin
