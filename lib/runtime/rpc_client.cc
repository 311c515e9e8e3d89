#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <climits>
#include <utility>

#include "lib/runtime/check.h"
#include "lib/runtime/rpc_channel.h"
#include "lib/runtime/rpc_queue.h"
#include "lib/runtime/rpc_stream_core.h"

namespace runtime {
namespace {

using internal::RpcOp;
using internal::RpcQueue;

// Each stream has a channel and so a TCP connection of its own: one slow link holds up no other.
std::shared_ptr<grpc::Channel> MakeChannel(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const std::string& server_name) {
  static std::atomic<int> next_channel{0};
  grpc::ChannelArguments arguments;
  for (const auto& [name, value] : internal::CommonArguments(internal::kMaxFrameBytes)) {
    arguments.SetInt(name, value);
  }
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt("xylem.channel", next_channel.fetch_add(1));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3000);  // also: how long a connect may take
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  if (!server_name.empty()) arguments.SetSslTargetNameOverride(server_name);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

class ClientCore final : public internal::RpcStreamCore {
 public:
  ClientCore(std::shared_ptr<RpcQueue> queue, const std::string& address, std::string method,
             const std::shared_ptr<grpc::ChannelCredentials>& credentials,
             const std::string& server_name, std::string refused)
      : RpcStreamCore(std::move(queue), true), method_(std::move(method)) {
    peer_ = address;
    refused_ = std::move(refused);
    if (refused_.empty()) channel_ = MakeChannel(address, credentials, server_name);
  }

 private:
  bool StartCall(RpcOp* op) override {
    if (!refused_.empty()) return false;
    return queue_->StartOp(op, [&](grpc::CompletionQueue* queue) {
      grpc::GenericStub stub(channel_);
      call_ = stub.PrepareCall(&context_, method_, queue);
      call_->StartCall(op);
    });
  }
  bool StartRead(grpc::ByteBuffer* into, RpcOp* op) override {
    return queue_->StartOp(op, [&](grpc::CompletionQueue*) { call_->Read(into, op); });
  }
  bool StartWrite(const grpc::ByteBuffer& frame, RpcOp* op) override {
    return queue_->StartQuickOp(op, [&](grpc::CompletionQueue*) { call_->Write(frame, op); });
  }
  bool StartHalfClose(RpcOp* op) override {
    return queue_->StartOp(op, [&](grpc::CompletionQueue*) { call_->WritesDone(op); });
  }
  bool StartFinish(RpcOp* op) override {
    return queue_->StartOp(op, [&](grpc::CompletionQueue*) { call_->Finish(&status_, op); });
  }
  void Cancel() override {
    context_.TryCancel();
    queue_->Stir();
  }
  void OnStarted() override {
    peer_ = context_.peer();
    std::shared_ptr<const grpc::AuthContext> auth = context_.auth_context();
    if (auth == nullptr) return;
    for (const grpc::string_ref& name : auth->FindPropertyValues("x509_common_name")) {
      peer_identity_.assign(name.data(), name.size());
    }
  }
  std::string CloseReason() const override {
    return status_.ok() ? "ended by peer" : status_.error_message();
  }

  const std::string method_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::Status status_;
};

class Client final : public RpcClient {
 public:
  Client(EventLoop* loop, RpcCredentials credentials)
      : plaintext_(credentials.empty()),
        credentials_(internal::ClientCredentials(credentials)),
        queue_(std::make_shared<RpcQueue>(loop, std::make_unique<grpc::CompletionQueue>())) {
    queue_->Begin("rpc-out-" + std::to_string(loop->index()));
  }
  ~Client() override {
    queue_->Shutdown();
    queue_->DrainMuted();
  }

  std::unique_ptr<RpcStream> Open(const std::string& address, const std::string& method,
                                  const std::string& server_name) override {
    queue_->loop()->AssertInLoop();
    std::string refused;
    if (credentials_ == nullptr) {
      refused = "credentials cannot be read";
    } else if (plaintext_ && !IsLoopback(address)) {
      refused = "plaintext is refused beyond loopback";
    }
    return internal::MakeHandle(
        new ClientCore(queue_, address, method, credentials_, server_name, std::move(refused)));
  }

  RpcStats stats() const override { return queue_->stats(); }

 private:
  const bool plaintext_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  const std::shared_ptr<RpcQueue> queue_;
};

}  // namespace

std::unique_ptr<RpcClient> RpcClient::Create(EventLoop* loop, RpcCredentials credentials) {
  return std::make_unique<Client>(loop, std::move(credentials));
}

}  // namespace runtime
