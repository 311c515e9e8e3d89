#include <grpc/grpc.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib/runtime/check.h"
#include "lib/runtime/log.h"
#include "lib/runtime/rpc_channel.h"
#include "lib/runtime/rpc_queue.h"
#include "lib/runtime/rpc_stream_core.h"
#include "lib/runtime/rpc_unary.h"

namespace runtime {
namespace {

using internal::IncomingCall;
using internal::RpcOp;
using internal::RpcQueue;

class ServerCore final : public internal::RpcStreamCore {
 public:
  explicit ServerCore(std::unique_ptr<IncomingCall> call)
      : RpcStreamCore(call->queue, false), call_(std::move(call)) {
    peer_ = call_->context.peer();
    std::shared_ptr<const grpc::AuthContext> auth = call_->context.auth_context();
    if (auth == nullptr) return;
    for (const grpc::string_ref& name : auth->FindPropertyValues("x509_common_name")) {
      peer_identity_.assign(name.data(), name.size());
    }
  }

 private:
  bool StartCall(RpcOp*) override { return true; }
  bool StartRead(grpc::ByteBuffer* into, RpcOp* op) override {
    return queue_->StartOp(op, [&](grpc::CompletionQueue*) { call_->stream.Read(into, op); });
  }
  bool StartWrite(const grpc::ByteBuffer& frame, RpcOp* op) override {
    return queue_->StartQuickOp(op,
                                [&](grpc::CompletionQueue*) { call_->stream.Write(frame, op); });
  }
  bool StartHalfClose(RpcOp*) override { return false; }
  bool StartFinish(RpcOp* op) override {
    return queue_->StartOp(
        op, [&](grpc::CompletionQueue*) { call_->stream.Finish(grpc::Status::OK, op); });
  }
  void Cancel() override {
    call_->context.TryCancel();
    queue_->Stir();
  }
  std::string CloseReason() const override { return "ended"; }

  std::unique_ptr<IncomingCall> call_;
};

class Server final : public RpcServer {
 public:
  Server(LoopGroup* loops, std::vector<std::string> stream_methods, Accept accept, Unary unary)
      : loops_(loops),
        stream_methods_(std::move(stream_methods)),
        accept_(std::make_shared<Accept>(std::move(accept))),
        unary_(std::move(unary)) {
    request_op_.owner = this;
    request_op_.on_queue_thread = request_op_.resting = true;
    request_op_.done = [](RpcOp* op, bool ok, bool) {
      static_cast<Server*>(op->owner)->OnCall(ok);
    };
  }
  ~Server() override { Shutdown(); }

  bool Listen(const Options& options) {
    if (options.credentials.empty() && !IsLoopback(options.address)) {
      LogError("rpc_listen", "plaintext is refused beyond loopback: give certificates",
               {{"address", options.address}});
      return false;
    }
    std::shared_ptr<grpc::ServerCredentials> credentials =
        internal::ServerCredentials(options.credentials);
    if (credentials == nullptr) return false;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options.address, credentials, &port_);
    for (const auto& [name, value] :
         internal::CommonArguments(static_cast<int>(options.max_frame_bytes))) {
      builder.AddChannelArgument(name, value);
    }
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second process must notice
    grpc::ResourceQuota quota("xylem");
    quota.SetMaxThreads(4);
    builder.SetResourceQuota(quota);
    builder.RegisterAsyncGenericService(&service_);
    for (int i = 0; i < loops_->size(); ++i) {
      queues_.push_back(std::make_shared<RpcQueue>(&loops_->at(i), builder.AddCompletionQueue()));
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      LogError("rpc_listen", "cannot listen", {{"address", options.address}});
      return false;
    }
    for (size_t i = 0; i < queues_.size(); ++i) {
      queues_[i]->Begin("rpc-in-" + std::to_string(i));
    }
    RequestCall();
    return true;
  }

  int port() const override { return port_; }

  void Shutdown() override {
    if (std::exchange(shut_down_, true)) return;
    // The deadline is now: open calls are cancelled, their operations come back.
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    for (auto& queue : queues_) queue->Shutdown();
  }

  RpcStats stats() const override {
    RpcStats sum;
    for (const auto& queue : queues_) {
      RpcStats one = queue->stats();
      sum.completions += one.completions;
      sum.wakeups += one.wakeups;
    }
    return sum;
  }

 private:
  // One request stands at a time: what comes next goes to the next loop's queue. It is told on the
  // first one: a queue and a thread for that alone would be woken for the streams' traffic as well,
  // because gRPC's epoll engine hands the polling of all sockets on from thread to thread.
  void RequestCall() {
    arriving_ = std::make_unique<IncomingCall>();
    arriving_->queue = queues_[next_loop_];
    bool started = queues_[0]->StartOp(&request_op_, [&](grpc::CompletionQueue* queue) {
      service_.RequestCall(&arriving_->context, &arriving_->stream, arriving_->queue->get(),
                           static_cast<grpc::ServerCompletionQueue*>(queue), &request_op_);
    });
    if (!started) arriving_ = nullptr;
  }

  void OnCall(bool ok) {
    std::unique_ptr<IncomingCall> call = std::move(arriving_);
    if (!ok) return;  // shut down
    const std::string& method = call->context.method();
    if (std::find(stream_methods_.begin(), stream_methods_.end(), method) !=
        stream_methods_.end()) {
      EventLoop* loop = call->queue->loop();
      next_loop_ = (next_loop_ + 1) % queues_.size();
      std::unique_ptr<RpcStream> stream = internal::MakeHandle(new ServerCore(std::move(call)));
      loop->Post([accept = accept_, loop, stream = std::move(stream)]() mutable {
        (*accept)(*loop, std::move(stream));
      });
    } else {
      internal::ServeUnary(std::move(call), unary_);
    }
    RequestCall();
  }

  LoopGroup* const loops_;
  const std::vector<std::string> stream_methods_;
  const std::shared_ptr<const Accept> accept_;  // may still be posted when this is gone
  const Unary unary_;
  grpc::AsyncGenericService service_;
  std::vector<std::shared_ptr<RpcQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<IncomingCall> arriving_;
  RpcOp request_op_;
  size_t next_loop_ = 0;
  int port_ = 0;
  bool shut_down_ = false;
};

}  // namespace

std::unique_ptr<RpcServer> RpcServer::Start(Options options, LoopGroup* loops,
                                            std::vector<std::string> stream_methods, Accept accept,
                                            Unary unary) {
  auto server = std::make_unique<Server>(loops, std::move(stream_methods), std::move(accept),
                                         std::move(unary));
  if (!server->Listen(options)) return nullptr;
  return server;
}

}  // namespace runtime
