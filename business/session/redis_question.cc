#include "business/session/redis_question.h"

#include <memory>
#include <utility>

namespace business {

using runtime::Error;
using runtime::OneShot;
using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;

namespace {
// PING and TIME have none: they go to any node.
std::string KeyOf(const RedisClient::Args& command) {
  return command.size() < 2 ? std::string() : command[1];
}
}  // namespace

Result<RedisReply> Checked(RedisClient::Reply reply) {
  if (!reply.has_value() || !reply->IsError()) return reply;
  if (runtime::IsTransient(*reply)) return Error::Unavailable("Redis says: " + reply->text);
  return Error::Failed("Redis says: " + reply->text);
}

Task<Result<RedisReply>> Ask(RedisClient* redis, RedisClient::Args command) {
  std::string key = KeyOf(command);
  RedisClient::Reply reply = co_await redis->Command(std::move(key), std::move(command));
  co_return Checked(std::move(reply));
}

Task<Result<std::vector<RedisReply>>> AskAll(RedisClient* redis,
                                             std::vector<RedisClient::Args> commands) {
  struct Pipeline {
    std::vector<RedisClient::Reply> replies;
    size_t open = 0;
    OneShot<bool> done;
  };
  if (commands.empty()) co_return std::vector<RedisReply>();
  auto pipeline = std::make_shared<Pipeline>();
  pipeline->open = commands.size();
  pipeline->replies.assign(commands.size(), Error::Failed("not asked"));
  for (size_t i = 0; i < commands.size(); ++i) {
    const std::string key = KeyOf(commands[i]);
    redis->Command(key, std::move(commands[i]), [pipeline, i](RedisClient::Reply reply) {
      pipeline->replies[i] = Checked(std::move(reply));
      if (--pipeline->open == 0) pipeline->done.Set(true);
    });
  }
  co_await pipeline->done;
  std::vector<RedisReply> replies;
  for (RedisClient::Reply& reply : pipeline->replies) {
    if (!reply.has_value()) co_return reply.error();
    replies.push_back(std::move(*reply));
  }
  co_return replies;
}

}  // namespace business
