// One stream's state machine, the same on both sides; client and server differ in how an operation
// is started. Internal.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_queue.h"

namespace runtime::internal {

// Lives on its queue's loop. Owned by the RpcStream handed out and by the operations in flight:
// freed when the handle is gone and nothing is in flight.
class RpcStreamCore {
 public:
  enum class State {
    kNew,       // Start was not called
    kStarting,  // the client's call is not sent yet
    kOpen,
    kClosing,    // we want to end: half-closed (client), or as soon as the write is out (server)
    kFinishing,  // nothing to read any more: waiting for the status to come or go
    kClosed,
  };

  virtual ~RpcStreamCore() = default;

  void Start(RpcStream::Events events);
  bool writable() const { return state_ == State::kOpen && !writing_; }
  void Send(std::string frame);
  void Close();
  void Detach();  // the handle is gone

  const std::string& peer() const { return peer_; }
  const std::string& peer_identity() const { return peer_identity_; }

 protected:
  virtual bool StartCall(RpcOp* op) = 0;  // false: refused or shut down
  virtual bool StartRead(grpc::ByteBuffer* into, RpcOp* op) = 0;
  virtual bool StartWrite(const grpc::ByteBuffer& frame, RpcOp* op) = 0;
  virtual bool StartHalfClose(RpcOp* op) = 0;  // server: nothing to start, false
  virtual bool StartFinish(RpcOp* op) = 0;
  virtual void Cancel() = 0;
  virtual void OnStarted() {}  // the client learns its peer
  virtual std::string CloseReason() const = 0;

  const std::shared_ptr<RpcQueue> queue_;
  std::string peer_, peer_identity_;
  std::string refused_;  // why StartCall said no
  const bool is_client_;

  RpcStreamCore(std::shared_ptr<RpcQueue> queue, bool is_client);

 private:
  template <void (RpcStreamCore::*Handler)(bool ok)>
  static void OnOp(RpcOp* op, bool ok, bool muted);

  void OnCallStarted(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnHalfClosed(bool ok);
  void OnFinished(bool ok);

  void ReadNext();
  void WriteEndIfIdle();
  void FinishIfIdle();
  void Closed(std::string reason);
  void CloseSoon(std::string reason);
  void FreeIfDone();

  State state_ = State::kNew;
  bool detached_ = false, writing_ = false, reading_ = false, read_ended_ = false;
  bool half_closed_ = false;
  int in_flight_ = 0;  // operations, and callbacks under way
  RpcStream::Events events_;
  grpc::ByteBuffer incoming_;
  RpcOp call_op_, read_op_, write_op_, end_op_, finish_op_;
};

// The handle given out.
std::unique_ptr<RpcStream> MakeHandle(RpcStreamCore* core);

}  // namespace runtime::internal
