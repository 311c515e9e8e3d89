#include "lib/runtime/rpc_stream_core.h"

#include <utility>

#include "lib/runtime/check.h"
#include "lib/runtime/rpc_channel.h"

namespace runtime::internal {

template <void (RpcStreamCore::*Handler)(bool ok)>
void RpcStreamCore::OnOp(RpcOp* op, bool ok, bool muted) {
  auto* self = static_cast<RpcStreamCore*>(op->owner);
  if (muted) {
    self->state_ = State::kClosed;  // nobody may be called any more
  } else {
    (self->*Handler)(ok);
  }
  --self->in_flight_;
  self->FreeIfDone();
}

RpcStreamCore::RpcStreamCore(std::shared_ptr<RpcQueue> queue, bool is_client)
    : queue_(std::move(queue)), is_client_(is_client) {
  call_op_.done = &OnOp<&RpcStreamCore::OnCallStarted>;
  read_op_.done = &OnOp<&RpcStreamCore::OnRead>;
  write_op_.done = &OnOp<&RpcStreamCore::OnWritten>;
  end_op_.done = &OnOp<&RpcStreamCore::OnHalfClosed>;
  finish_op_.done = &OnOp<&RpcStreamCore::OnFinished>;
  for (RpcOp* op : {&call_op_, &read_op_, &write_op_, &end_op_, &finish_op_}) op->owner = this;
  read_op_.resting = true;
}

void RpcStreamCore::FreeIfDone() {
  if (detached_ && in_flight_ == 0) delete this;
}

void RpcStreamCore::Detach() {
  detached_ = true;
  events_ = {};
  if (state_ != State::kClosed) {
    state_ = State::kClosed;
    Cancel();
  }
  FreeIfDone();
}

void RpcStreamCore::Start(RpcStream::Events events) {
  CHECK(state_ == State::kNew);
  events_ = std::move(events);
  state_ = State::kStarting;
  if (!is_client_) {
    state_ = State::kOpen;
    ReadNext();
    return;
  }
  ++in_flight_;
  if (!StartCall(&call_op_)) {
    --in_flight_;
    CloseSoon(refused_.empty() ? "shutting down" : refused_);
  }
}

void RpcStreamCore::OnCallStarted(bool ok) {
  if (detached_) return;
  if (!ok) {
    read_ended_ = true;
    FinishIfIdle();
    return;
  }
  OnStarted();
  if (state_ == State::kStarting) state_ = State::kOpen;
  ReadNext();
  if (state_ == State::kClosing) WriteEndIfIdle();
  if (writable() && events_.on_writable) events_.on_writable();
}

void RpcStreamCore::ReadNext() {
  reading_ = true;
  ++in_flight_;
  if (StartRead(&incoming_, &read_op_)) return;
  reading_ = false;
  --in_flight_;
  CloseSoon("shutting down");
}

void RpcStreamCore::OnRead(bool ok) {
  reading_ = false;
  if (detached_) return;
  if (!ok) {
    read_ended_ = true;
    FinishIfIdle();
    return;
  }
  grpc::ByteBuffer frame;
  frame.Swap(&incoming_);
  ReadNext();  // the transport goes on while this frame is handled
  if (detached_ || !events_.on_frame) return;
  grpc::Slice flat;
  events_.on_frame(FrameView(frame, &flat));
}

void RpcStreamCore::Send(std::string frame) {
  CHECK(writable());
  writing_ = true;
  ++in_flight_;
  if (StartWrite(ToByteBuffer(std::move(frame)), &write_op_)) return;
  --in_flight_;
  CloseSoon("shutting down");
}

void RpcStreamCore::OnWritten(bool ok) {
  writing_ = false;
  if (detached_) return;
  if (!ok) Cancel();  // the read in flight fails as well and ends the stream
  if (read_ended_) {
    FinishIfIdle();
  } else if (state_ == State::kClosing) {
    WriteEndIfIdle();
  } else if (ok && writable() && events_.on_writable) {
    events_.on_writable();
  }
}

void RpcStreamCore::Close() {
  if (state_ == State::kNew) return CloseSoon("closed");
  if (state_ != State::kOpen && state_ != State::kStarting) return;
  bool starting = state_ == State::kStarting;
  state_ = State::kClosing;
  if (starting) {
    Cancel();
    return;
  }
  WriteEndIfIdle();
}

void RpcStreamCore::WriteEndIfIdle() {
  if (writing_ || half_closed_) return;
  half_closed_ = true;
  if (!is_client_) {
    FinishIfIdle();
    return;
  }
  ++in_flight_;
  if (StartHalfClose(&end_op_)) return;
  --in_flight_;
  CloseSoon("shutting down");
}

void RpcStreamCore::OnHalfClosed(bool ok) {
  if (!detached_ && !ok) Cancel();
}

void RpcStreamCore::FinishIfIdle() {
  if (writing_ || state_ == State::kFinishing || state_ == State::kClosed) return;
  state_ = State::kFinishing;
  ++in_flight_;
  if (StartFinish(&finish_op_)) return;
  --in_flight_;
  CloseSoon("shutting down");
}

void RpcStreamCore::OnFinished(bool) {
  if (!detached_) Closed(CloseReason());
}

void RpcStreamCore::Closed(std::string reason) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  auto on_closed = std::move(events_.on_closed);
  if (on_closed) on_closed(std::move(reason));
}

// Never from inside a call of the owner.
void RpcStreamCore::CloseSoon(std::string reason) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosing;
  ++in_flight_;
  // The loop may stop without running this: the guard gives the count back then.
  struct Guard {
    explicit Guard(RpcStreamCore* c) : core(c) {}
    Guard(Guard&& other) noexcept : core(std::exchange(other.core, nullptr)) {}
    ~Guard() {
      if (core == nullptr) return;
      --core->in_flight_;
      core->FreeIfDone();
    }
    RpcStreamCore* core;
  };
  queue_->loop()->Post([guard = Guard(this), reason = std::move(reason)]() mutable {
    if (!guard.core->detached_) guard.core->Closed(std::move(reason));
  });
}

namespace {
class Handle final : public RpcStream {
 public:
  explicit Handle(RpcStreamCore* core) : core_(core) {}
  ~Handle() override { core_->Detach(); }
  void Start(Events events) override { core_->Start(std::move(events)); }
  bool writable() const override { return core_->writable(); }
  void Send(std::string frame) override { core_->Send(std::move(frame)); }
  void Close() override { core_->Close(); }
  const std::string& peer() const override { return core_->peer(); }
  const std::string& peer_identity() const override { return core_->peer_identity(); }

 private:
  RpcStreamCore* const core_;
};
}  // namespace

std::unique_ptr<RpcStream> MakeHandle(RpcStreamCore* core) {
  return std::make_unique<Handle>(core);
}

}  // namespace runtime::internal
