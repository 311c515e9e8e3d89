// A command on its way, and the queue it waits in.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "lib/runtime/redis_client.h"

namespace runtime {

struct RedisRequest {
  RedisClient::Callback done;
  RedisClient::Args args;  // kept after the write only when it may have to be sent again
  const RedisScript* script = nullptr;  // EVALSHA: EVAL after NOSCRIPT
  int32_t slot = -1;                    // -1: any node
  uint8_t redirects = 0;
  bool asking = false;    // ASKING goes before it
  bool internal = false;  // the client's own (CLUSTER SLOTS): not counted
  uint64_t deadline_ms = 0;
  uint64_t sent_us = 0, replied_us = 0;  // of the write and of the read that carried it
  uint64_t stream_end = 0;               // offset in the connection's output behind its last byte
};

// First in, first out; a ring that grows by doubling and keeps its memory.
template <typename T>
class RingQueue {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  T& front() { return slots_[head_]; }
  T& at(size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  void push(T value) {
    if (size_ == slots_.size()) Grow();
    slots_[(head_ + size_) & (slots_.size() - 1)] = std::move(value);
    ++size_;
  }
  T pop() {
    T value = std::move(slots_[head_]);
    head_ = (head_ + 1) & (slots_.size() - 1);
    --size_;
    return value;
  }

 private:
  void Grow() {
    std::vector<T> bigger(slots_.empty() ? 16 : slots_.size() * 2);
    for (size_t i = 0; i < size_; ++i) bigger[i] = std::move(at(i));
    slots_ = std::move(bigger);
    head_ = 0;
  }
  std::vector<T> slots_;
  size_t head_ = 0, size_ = 0;
};

}  // namespace runtime
