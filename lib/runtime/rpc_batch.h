// Frames that carry many items: how a link batches by nature.
//
// A frame is a protobuf message of the form
//   message Frame { Hello hello = 1; repeated Item item = 2; }   message Item { oneof item {…} }
// and is put together from serialised items, so that a stanza needs no tree of message objects.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"

namespace google::protobuf {
class MessageLite;
}

namespace runtime {

// Appends fields of a protobuf message in wire format; zero and empty are left out, as proto3 does.
class WireWriter {
 public:
  explicit WireWriter(std::string* out) : out_(out) {}
  void Varint(uint64_t value);
  void Uint(int field, uint64_t value) {
    if (value == 0) return;
    Tag(field, 0);
    Varint(value);
  }
  void Fixed64(int field, uint64_t value);
  void Bytes(int field, std::string_view bytes) {
    if (!bytes.empty()) BytesAlways(field, bytes);
  }
  void BytesAlways(int field, std::string_view bytes);  // also an empty (sub)message
  void Length(int field, size_t size) {
    Tag(field, 2);
    Varint(size);
  }
  static size_t VarintSize(uint64_t value);

 private:
  void Tag(int field, int type) {
    Varint(static_cast<uint64_t>(field) << 3 | static_cast<unsigned>(type));
  }
  std::string* out_;
};

// Counted on one thread, read on any: no locked instruction.
class LoopCounter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Of all links of a loop: items / frames is the mean batch.
struct LinkCounters {
  LoopCounter frames_out, items_out, bytes_out, frames_in, items_in;
};

// The outgoing side of a link; lives on its loop. What is added in a turn leaves at the turn's end
// in one frame; while a write is in flight items queue, and when it completes all of them leave: at
// most 128 items or 64 KiB a frame, or a single item. No timer holds up an item; only answers that
// nobody waits for may (FlushLater).
class RpcBatch {
 public:
  static constexpr uint32_t kMaxItems = 128;
  static constexpr size_t kMaxBytes = 64 << 10;
  static constexpr std::chrono::milliseconds kLate{5};  // and what the loop's timers add

  RpcBatch(EventLoop* loop, LinkCounters* counters);

  // From now on frames go to `stream` (null: nowhere; what is queued is dropped).
  void Attach(RpcStream* stream);
  // The stream's on_writable.
  void OnWritable();
  // The frame's `hello`; only as the first thing.
  void AddHello(const google::protobuf::MessageLite& hello);
  // One item: field `field` of the oneof, of `serialised` bytes.
  void Add(int field, std::string_view serialised);
  void Add(int field, const google::protobuf::MessageLite& item);
  // Also an item, whose message is the two parts one behind the other.
  void Add(int field, std::string_view part1, std::string_view part2);

  // Lets `before` add what was collected (acknowledgements) when the next frame can leave.
  void ScheduleFlush() { loop_->ScheduleTurnEnd(&turn_end_); }
  // The same, but unless another frame leaves earlier only after some milliseconds.
  void FlushLater();
  void set_before_flush(absl::AnyInvocable<void()> before) { before_flush_ = std::move(before); }

  uint64_t queued_items() const { return queued_items_; }
  uint64_t queued_bytes() const { return queued_bytes_; }

 private:
  struct Frame {
    std::string bytes;
    uint32_t items = 0;
    bool alone = false;  // the hello's
  };
  struct Flusher : TurnEnd {
    explicit Flusher(RpcBatch* b);
    RpcBatch* batch;
  };

  struct LateFlusher : Timer {
    explicit LateFlusher(RpcBatch* b);
    RpcBatch* batch;
  };

  std::string* Open(int field, size_t size);
  void Flush();

  EventLoop* const loop_;
  LinkCounters* const counters_;
  RpcStream* stream_ = nullptr;
  std::deque<Frame> frames_;
  uint64_t queued_items_ = 0, queued_bytes_ = 0;
  bool flush_waits_ = false;  // for the write in flight
  absl::AnyInvocable<void()> before_flush_;
  Flusher turn_end_;
  LateFlusher later_;
};

// Walks over a received frame. Unknown fields are skipped.
class RpcFrameReader {
 public:
  explicit RpcFrameReader(std::string_view frame) : rest_(frame) {}
  enum class Kind { kHello, kItem, kEnd, kMalformed };
  // kItem: field() of the oneof and its serialised message.
  Kind Next();
  int field() const { return field_; }
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view rest_, bytes_;
  int field_ = 0;
};

}  // namespace runtime
