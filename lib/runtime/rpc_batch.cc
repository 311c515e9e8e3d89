#include "lib/runtime/rpc_batch.h"

#include <google/protobuf/message_lite.h>

#include <cstring>
#include <utility>

#include "lib/runtime/check.h"

namespace runtime {
namespace {
constexpr int kHelloField = 1;
constexpr int kItemField = 2;
}  // namespace

void WireWriter::Varint(uint64_t value) {
  char buffer[10];
  size_t n = 0;
  while (value >= 0x80) {
    buffer[n++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  buffer[n++] = static_cast<char>(value);
  out_->append(buffer, n);
}

void WireWriter::Fixed64(int field, uint64_t value) {
  if (value == 0) return;
  Tag(field, 1);
  char buffer[8];
  for (char& byte : buffer) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  out_->append(buffer, sizeof buffer);
}

void WireWriter::BytesAlways(int field, std::string_view bytes) {
  Length(field, bytes.size());
  out_->append(bytes);
}

size_t WireWriter::VarintSize(uint64_t value) {
  size_t n = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++n;
  }
  return n;
}

RpcBatch::Flusher::Flusher(RpcBatch* b)
    : TurnEnd([](TurnEnd* end) { static_cast<Flusher*>(end)->batch->Flush(); }), batch(b) {}

RpcBatch::LateFlusher::LateFlusher(RpcBatch* b)
    : Timer([](Timer* timer) { static_cast<LateFlusher*>(timer)->batch->ScheduleFlush(); }),
      batch(b) {}

RpcBatch::RpcBatch(EventLoop* loop, LinkCounters* counters)
    : loop_(loop), counters_(counters), turn_end_(this), later_(this) {}

void RpcBatch::Attach(RpcStream* stream) {
  stream_ = stream;
  if (stream != nullptr) return;
  turn_end_.Cancel();
  later_.Cancel();
  flush_waits_ = false;
  frames_.clear();
  queued_items_ = 0;
  queued_bytes_ = 0;
}

void RpcBatch::OnWritable() {
  if (!frames_.empty() || flush_waits_) ScheduleFlush();
}

void RpcBatch::FlushLater() {
  if (stream_ != nullptr && !later_.armed()) loop_->Arm(&later_, kLate);
}

// Room for an item of `size` bytes, in the frame that is being filled or in a new one.
std::string* RpcBatch::Open(int field, size_t size) {
  size_t item = 1 + WireWriter::VarintSize(size) + size;  // fields of the oneof are below 16
  size_t whole = 1 + WireWriter::VarintSize(item) + item;
  if (frames_.empty() || frames_.back().alone || frames_.back().items >= kMaxItems ||
      frames_.back().bytes.size() + whole > kMaxBytes) {
    frames_.emplace_back();
  }
  Frame& frame = frames_.back();
  ++frame.items;
  ++queued_items_;
  queued_bytes_ += whole;
  WireWriter writer(&frame.bytes);
  writer.Length(kItemField, item);
  writer.Length(field, size);
  ScheduleFlush();
  return &frame.bytes;
}

void RpcBatch::AddHello(const google::protobuf::MessageLite& hello) {
  CHECK(frames_.empty());
  Frame& frame = frames_.emplace_back();
  frame.alone = true;
  WireWriter(&frame.bytes).BytesAlways(kHelloField, hello.SerializeAsString());
  queued_bytes_ += frame.bytes.size();
  ScheduleFlush();
}

void RpcBatch::Add(int field, std::string_view serialised) {
  if (stream_ == nullptr) return;
  Open(field, serialised.size())->append(serialised);
}

void RpcBatch::Add(int field, std::string_view part1, std::string_view part2) {
  if (stream_ == nullptr) return;
  std::string* out = Open(field, part1.size() + part2.size());
  out->append(part1);
  out->append(part2);
}

void RpcBatch::Add(int field, const google::protobuf::MessageLite& item) {
  if (stream_ == nullptr) return;
  size_t size = item.ByteSizeLong();
  std::string* out = Open(field, size);
  size_t at = out->size();
  out->resize(at + size);
  item.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(out->data() + at));
}

void RpcBatch::Flush() {
  if (stream_ == nullptr) return;
  flush_waits_ = !stream_->writable();
  if (flush_waits_) return;
  if (before_flush_) before_flush_();
  turn_end_.Cancel();
  later_.Cancel();
  if (frames_.empty()) return;
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  queued_items_ -= frame.items;
  queued_bytes_ -= frame.bytes.size();
  counters_->frames_out.Add();
  counters_->items_out.Add(frame.items);
  counters_->bytes_out.Add(frame.bytes.size());
  stream_->Send(std::move(frame.bytes));
}

namespace {
bool ReadVarint(std::string_view* in, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !in->empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(in->front());
    in->remove_prefix(1);
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// The next field that is a message; others are skipped. False: malformed.
bool ReadField(std::string_view* in, int* field, std::string_view* bytes) {
  while (!in->empty()) {
    uint64_t tag, size;
    if (!ReadVarint(in, &tag)) return false;
    switch (tag & 7) {
      case 0:
        if (!ReadVarint(in, &size)) return false;
        continue;
      case 1:
      case 5: {
        size_t width = (tag & 7) == 1 ? 8 : 4;
        if (in->size() < width) return false;
        in->remove_prefix(width);
        continue;
      }
      case 2:
        if (!ReadVarint(in, &size) || size > in->size()) return false;
        *field = static_cast<int>(tag >> 3);
        *bytes = in->substr(0, size);
        in->remove_prefix(size);
        return true;
      default:
        return false;
    }
  }
  *field = 0;
  return true;
}
}  // namespace

RpcFrameReader::Kind RpcFrameReader::Next() {
  while (true) {
    int outer;
    std::string_view item;
    if (!ReadField(&rest_, &outer, &item)) return Kind::kMalformed;
    if (outer == 0) return Kind::kEnd;
    if (outer == kHelloField) {
      bytes_ = item;
      return Kind::kHello;
    }
    if (outer != kItemField) continue;
    if (!ReadField(&item, &field_, &bytes_)) return Kind::kMalformed;
    if (field_ != 0) return Kind::kItem;
  }
}

}  // namespace runtime
