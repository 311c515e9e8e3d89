// Redis asked for an operator: a reply, or the error it amounts to.
#pragma once

#include <string>
#include <vector>

#include "lib/runtime/redis_client.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace business {

// An error reply comes as Error: kUnavailable if it passes by itself, else kFailed.
runtime::Result<runtime::RedisReply> Checked(runtime::RedisClient::Reply reply);
// The second word of a command is its key.
runtime::Task<runtime::Result<runtime::RedisReply>> Ask(runtime::RedisClient* redis,
                                                        runtime::RedisClient::Args command);
// One pipeline; the replies in the order of `commands`, the first error if there is one.
runtime::Task<runtime::Result<std::vector<runtime::RedisReply>>> AskAll(
    runtime::RedisClient* redis, std::vector<runtime::RedisClient::Args> commands);

}  // namespace business
