#include "lib/runtime/rpc_unary.h"

#include <grpcpp/support/byte_buffer.h>

#include <utility>

#include "lib/runtime/rpc_channel.h"

namespace runtime::internal {
namespace {

class UnaryCall {
 public:
  UnaryCall(std::unique_ptr<IncomingCall> call, const RpcServer::Unary& handler)
      : call_(std::move(call)), handler_(handler) {
    for (RpcOp* op : {&read_op_, &finish_op_}) {
      op->owner = this;
      op->on_queue_thread = true;
    }
    read_op_.done = [](RpcOp* op, bool ok, bool) { Self(op)->OnRead(ok); };
    finish_op_.done = [](RpcOp* op, bool, bool) { delete Self(op); };
  }

  void Start() {
    const std::shared_ptr<RpcQueue> queue = call_->queue;  // this may be deleted meanwhile
    bool started = queue->StartOp(
        &read_op_, [&](grpc::CompletionQueue*) { call_->stream.Read(&request_, &read_op_); });
    if (!started) delete this;
  }

 private:
  static UnaryCall* Self(RpcOp* op) { return static_cast<UnaryCall*>(op->owner); }

  // Answers once; a handler that drops it answers "internal".
  class Responder {
   public:
    explicit Responder(UnaryCall* call) : call_(call) {}
    Responder(Responder&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
    Responder& operator=(Responder&&) = delete;
    ~Responder() {
      if (call_ != nullptr) call_->Finish(grpc::StatusCode::INTERNAL, "no answer", {});
    }
    void operator()(int code, std::string message, std::string response) {
      UnaryCall* call = std::exchange(call_, nullptr);
      if (call != nullptr) call->Finish(code, std::move(message), std::move(response));
    }

   private:
    UnaryCall* call_;
  };

  void OnRead(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    if (!handler_) {
      Finish(grpc::StatusCode::UNIMPLEMENTED, "no such method", {});
      return;
    }
    grpc::Slice flat;
    std::string request(FrameView(request_, &flat));
    std::string authorization;
    auto& metadata = call_->context.client_metadata();
    auto found = metadata.find("authorization");
    if (found != metadata.end()) {
      authorization.assign(found->second.data(), found->second.size());
    }
    std::string method = call_->context.method();
    handler_(method, std::move(request), authorization, Responder(this));
  }

  void Finish(int code, std::string message, std::string response) {
    grpc::Status status(static_cast<grpc::StatusCode>(code), std::move(message));
    const std::shared_ptr<RpcQueue> queue = call_->queue;  // this may be deleted meanwhile
    bool started = queue->StartOp(&finish_op_, [&](grpc::CompletionQueue*) {
      if (status.ok()) {
        call_->stream.WriteAndFinish(ToByteBuffer(std::move(response)), grpc::WriteOptions(),
                                     status, &finish_op_);
      } else {
        call_->stream.Finish(status, &finish_op_);
      }
    });
    if (!started) delete this;
  }

  std::unique_ptr<IncomingCall> call_;
  const RpcServer::Unary& handler_;
  grpc::ByteBuffer request_;
  RpcOp read_op_, finish_op_;
};

}  // namespace

void ServeUnary(std::unique_ptr<IncomingCall> call, const RpcServer::Unary& handler) {
  (new UnaryCall(std::move(call), handler))->Start();
}

}  // namespace runtime::internal
