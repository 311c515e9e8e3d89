#include "lib/runtime/redis_client.h"

#include <openssl/evp.h>

#include <utility>

#include "lib/runtime/check.h"
#include "lib/runtime/redis_router.h"

namespace runtime {

bool IsTransient(const RedisReply& reply) {
  if (!reply.IsError()) return false;
  constexpr std::string_view kCodes[] = {"LOADING", "MASTERDOWN",  "READONLY",
                                         "OOM",     "CLUSTERDOWN", "TRYAGAIN",
                                         "BUSY",    "NOREPLICAS",  "MISCONF"};
  std::string_view code = std::string_view(reply.text).substr(0, reply.text.find(' '));
  for (std::string_view c : kCodes) {
    if (code == c) return true;
  }
  return false;
}

RedisScript::RedisScript(const char* name, std::string source)
    : name_(name), source_(std::move(source)) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_Digest(source_.data(), source_.size(), digest, &size, EVP_sha1(), nullptr) == 1);
  constexpr char kHex[] = "0123456789abcdef";
  for (unsigned int i = 0; i < size; ++i) {
    sha1_.push_back(kHex[digest[i] >> 4]);
    sha1_.push_back(kHex[digest[i] & 15]);
  }
}

std::unique_ptr<RedisClient> RedisClient::Create(EventLoop* loop, RedisOptions options) {
  auto client = std::make_unique<RedisRouter>(loop, std::move(options));
  client->Start();
  return client;
}

Task<RedisClient::Reply> RedisClient::Command(std::string key, Args args) {
  OneShot<Reply> answer;
  Command(key, std::move(args), [&answer](Reply reply) { answer.Set(std::move(reply)); });
  Reply reply = co_await answer;
  co_return reply;
}

Task<RedisClient::Reply> RedisClient::Eval(const RedisScript& script, Args keys, Args args) {
  OneShot<Reply> answer;
  Eval(script, std::move(keys), std::move(args),
       [&answer](Reply reply) { answer.Set(std::move(reply)); });
  Reply reply = co_await answer;
  co_return reply;
}

}  // namespace runtime
