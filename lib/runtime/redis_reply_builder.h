// hiredis' reader, building our RedisReply without objects of its own in between.
#pragma once

#include "lib/runtime/redis_client.h"

struct redisReader;

namespace runtime {

// Each complete reply stands in *root, which the caller moves from; redisReaderGetReply gives a
// non-null pointer then. Free with redisReaderFree.
redisReader* NewRedisReader(RedisReply* root);

}  // namespace runtime
