// What waits to be written to one client: a chain of chunks that exists only while something waits.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace connmgr {

struct WriteChunk {
  WriteChunk* next = nullptr;
  std::string bytes;
};

// Empty chunks of one event loop, so that a turn's output costs no allocation. Not thread-safe.
class ChunkPool {
 public:
  ~ChunkPool();
  // With room for `size` bytes at least.
  WriteChunk* Take(size_t size);
  void Return(WriteChunk* chunk);

  static constexpr size_t kChunkBytes = 4096;

 private:
  static constexpr size_t kMaxIdle = 256;
  WriteChunk* idle_ = nullptr;
  size_t count_ = 0;
};

// 24 bytes while empty. The pool must outlive it; Clear before destruction.
class WriteQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  size_t bytes() const { return bytes_; }

  // The string to append up to `size` bytes to; Appended must follow at once.
  std::string* Tail(ChunkPool& pool, size_t size);
  void Appended(size_t size) { bytes_ += static_cast<uint32_t>(size); }
  void Append(ChunkPool& pool, std::string_view bytes);

  // The first piece, as one view.
  std::string_view Front() const {
    return std::string_view(head_->bytes).substr(head_offset_);
  }
  // Fills up to `max` pieces; how many.
  int Pieces(iovec* pieces, int max) const;
  // `size` bytes from the front were written.
  void Consume(ChunkPool& pool, size_t size);
  void Clear(ChunkPool& pool);

 private:
  WriteChunk* head_ = nullptr;
  WriteChunk* tail_ = nullptr;
  uint32_t bytes_ = 0;
  uint32_t head_offset_ = 0;
};

}  // namespace connmgr
