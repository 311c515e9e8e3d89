#include "connmgr/write_queue.h"

#include <algorithm>

namespace connmgr {

ChunkPool::~ChunkPool() {
  while (idle_ != nullptr) {
    WriteChunk* next = idle_->next;
    delete idle_;
    idle_ = next;
  }
}

WriteChunk* ChunkPool::Take(size_t size) {
  if (idle_ == nullptr) {
    auto* chunk = new WriteChunk;
    chunk->bytes.reserve(std::max(size, kChunkBytes));
    return chunk;
  }
  WriteChunk* chunk = idle_;
  idle_ = chunk->next;
  --count_;
  chunk->next = nullptr;
  if (size > chunk->bytes.capacity()) chunk->bytes.reserve(size);
  return chunk;
}

void ChunkPool::Return(WriteChunk* chunk) {
  if (count_ == kMaxIdle || chunk->bytes.capacity() > 2 * kChunkBytes) {
    delete chunk;
    return;
  }
  chunk->bytes.clear();
  chunk->next = idle_;
  idle_ = chunk;
  ++count_;
}

std::string* WriteQueue::Tail(ChunkPool& pool, size_t size) {
  if (tail_ == nullptr) {
    head_ = tail_ = pool.Take(size);
    head_offset_ = 0;
  } else if (tail_->bytes.capacity() - tail_->bytes.size() < size) {
    tail_->next = pool.Take(size);
    tail_ = tail_->next;
  }
  return &tail_->bytes;
}

void WriteQueue::Append(ChunkPool& pool, std::string_view bytes) {
  if (bytes.empty()) return;
  Tail(pool, bytes.size())->append(bytes);
  Appended(bytes.size());
}

int WriteQueue::Pieces(iovec* pieces, int max) const {
  int count = 0;
  size_t offset = head_offset_;
  for (WriteChunk* c = head_; c != nullptr && count < max; c = c->next) {
    pieces[count++] = {c->bytes.data() + offset, c->bytes.size() - offset};
    offset = 0;
  }
  return count;
}

void WriteQueue::Consume(ChunkPool& pool, size_t size) {
  bytes_ -= static_cast<uint32_t>(size);
  while (head_ != nullptr) {
    const size_t left = head_->bytes.size() - head_offset_;
    if (size < left) {
      head_offset_ += static_cast<uint32_t>(size);
      return;
    }
    size -= left;
    WriteChunk* next = head_->next;
    pool.Return(head_);
    head_ = next;
    head_offset_ = 0;
  }
  tail_ = nullptr;
}

void WriteQueue::Clear(ChunkPool& pool) {
  Consume(pool, bytes_);
}

}  // namespace connmgr
