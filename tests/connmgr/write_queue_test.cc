#include "connmgr/write_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace connmgr {
namespace {

std::string Text(size_t size, size_t from = 0) {
  std::string text(size, 'x');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (from + i) % 26);
  return text;
}

std::string Whole(const WriteQueue& queue) {
  iovec pieces[64];
  std::string text;
  const int count = queue.Pieces(pieces, 64);
  for (int i = 0; i < count; ++i) {
    text.append(static_cast<char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return text;
}

TEST(WriteQueue, CostsNothingWhileEmpty) {
  static_assert(sizeof(WriteQueue) == 24);
  ChunkPool pool;
  WriteQueue queue;
  queue.Append(pool, "");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(WriteQueue, GivesBackWhatWentInHoweverItIsCut) {
  ChunkPool pool;
  WriteQueue queue;
  std::mt19937 random(20261124);
  std::string expected, seen;
  for (int round = 0; round < 2000; ++round) {
    const size_t size = random() % 3 == 0 ? random() % 20000 : random() % 300;
    const std::string piece = Text(size, expected.size());
    queue.Append(pool, piece);
    expected += piece;
    if (queue.empty()) continue;
    const std::string_view front = queue.Front();
    const size_t taken = random() % (front.size() + 1);
    seen.append(front.substr(0, taken));
    queue.Consume(pool, taken);
    ASSERT_EQ(queue.bytes(), expected.size() - seen.size());
  }
  while (!queue.empty()) {
    seen += queue.Front();
    queue.Consume(pool, queue.Front().size());
  }
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(WriteQueue, ConsumesOverTheEdgesOfItsChunks) {
  ChunkPool pool;
  WriteQueue queue;
  const std::string text = Text(3 * ChunkPool::kChunkBytes);
  for (size_t at = 0; at < text.size(); at += 1024) queue.Append(pool, text.substr(at, 1024));
  EXPECT_EQ(Whole(queue), text);
  queue.Consume(pool, ChunkPool::kChunkBytes + 7);
  EXPECT_EQ(Whole(queue), text.substr(ChunkPool::kChunkBytes + 7));
  iovec first;
  EXPECT_EQ(queue.Pieces(&first, 1), 1);
  queue.Clear(pool);
  EXPECT_TRUE(queue.empty());
}

TEST(WriteQueue, TakesOneThatIsLargerThanAChunk) {
  ChunkPool pool;
  WriteQueue queue;
  queue.Append(pool, "small");
  queue.Append(pool, Text(100000));
  EXPECT_EQ(queue.bytes(), 100005u);
  EXPECT_EQ(queue.Front(), "small");
  queue.Consume(pool, 5);
  EXPECT_EQ(queue.Front().size(), 100000u);
  queue.Clear(pool);
}

}  // namespace
}  // namespace connmgr
