#include "lib/runtime/redis_reply_builder.h"

#include <hiredis/read.h>

#include "lib/runtime/check.h"

namespace runtime {
namespace {

// The reader multiplies what the network says by the size of an element: a bound of ours.
constexpr int kMaxElements = 1 << 20;

RedisReply* Place(const redisReadTask* task) {
  if (task->parent == nullptr) return static_cast<RedisReply*>(task->privdata);
  auto* parent = static_cast<RedisReply*>(task->parent->obj);
  return &parent->array[static_cast<size_t>(task->idx)];
}

void* CreateString(const redisReadTask* task, char* text, size_t size) {
  RedisReply* reply = Place(task);
  reply->kind = task->type == REDIS_REPLY_ERROR    ? RedisReply::Kind::kError
                : task->type == REDIS_REPLY_STATUS ? RedisReply::Kind::kStatus
                                                   : RedisReply::Kind::kString;
  reply->text.assign(text, size);
  return reply;
}

void* CreateArray(const redisReadTask* task, int elements) {
  if (elements < 0 || elements > kMaxElements) return nullptr;
  RedisReply* reply = Place(task);
  reply->kind = RedisReply::Kind::kArray;
  reply->array.resize(static_cast<size_t>(elements));
  return reply;
}

void* CreateInteger(const redisReadTask* task, long long value) {  // NOLINT: hiredis' type
  RedisReply* reply = Place(task);
  reply->kind = RedisReply::Kind::kInteger;
  reply->integer = value;
  return reply;
}

void* CreateNil(const redisReadTask* task) {
  RedisReply* reply = Place(task);
  reply->kind = RedisReply::Kind::kNil;
  return reply;
}

// Replies live in their root.
void FreeObject(void*) {}

redisReplyObjectFunctions kFunctions = {CreateString, CreateArray, CreateInteger, CreateNil,
                                        FreeObject};

}  // namespace

redisReader* NewRedisReader(RedisReply* root) {
  redisReader* reader = redisReaderCreateWithFunctions(&kFunctions);
  CHECK(reader != nullptr);
  reader->privdata = root;
  return reader;
}

}  // namespace runtime
