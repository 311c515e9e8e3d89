#include "lib/runtime/redis_node.h"

#include <algorithm>
#include <random>
#include <utility>

namespace runtime {

RedisNode::RedisNode(EventLoop* loop, const RedisOptions* options, std::string address,
                     bool keep_args, Owner* owner)
    : loop_(loop),
      options_(options),
      address_(std::move(address)),
      keep_args_(keep_args),
      owner_(owner),
      down_since_ms_(loop->NowMs()),
      reconnect_(this, [](Timer* t) { static_cast<NodeTimer*>(t)->node->OpenFresh(); }),
      expire_(this, [](Timer* t) { static_cast<NodeTimer*>(t)->node->ExpireWaiting(); }) {}

RedisNode::~RedisNode() {
  Discard(std::move(current_));
  Discard(std::move(fresh_));
  for (auto& connection : retired_) Discard(std::move(connection));
}

// Connections are destroyed at the end of the turn: one of them may be what is calling us.
void RedisNode::Discard(std::unique_ptr<RedisConnection> connection) {
  if (connection == nullptr) return;
  old_writes_ += connection->writes();
  connection->Abandon();
  loop_->Defer([dead = std::move(connection)] {});
}

void RedisNode::Start() { OpenFresh(); }

RedisClient::State RedisNode::state() const {
  if (circuit_open_) return RedisClient::State::kOpen;
  if (current_ != nullptr) return RedisClient::State::kUp;
  auto silence = static_cast<uint64_t>(options_->silence.count());
  return loop_->NowMs() - down_since_ms_ > silence ? RedisClient::State::kOpen
                                                   : RedisClient::State::kConnecting;
}

uint64_t RedisNode::writes() const {
  return old_writes_ + (current_ != nullptr ? current_->writes() : 0);
}

bool RedisNode::idle() const {
  return waiting_.empty() && retired_.empty() &&
         (current_ == nullptr || current_->outstanding() == 0);
}

void RedisNode::Send(RedisRequest request) {
  switch (state()) {
    case RedisClient::State::kUp: {
      bool keep_args = keep_args_ || request.script != nullptr;
      return current_->Send(std::move(request), keep_args);
    }
    case RedisClient::State::kConnecting:
      waiting_.push(std::move(request));
      if (!expire_.armed()) ExpireWaiting();
      return;
    case RedisClient::State::kOpen:
      return Refuse(std::move(request), Error::Unavailable("redis " + address_ + ": circuit open"));
  }
}

void RedisNode::Refuse(RedisRequest request, Error error) {
  owner_->OnNodeRefused(std::move(request), std::move(error));
}

std::vector<RedisRequest> RedisNode::TakeWaiting() {
  std::vector<RedisRequest> taken;
  while (!waiting_.empty()) taken.push_back(waiting_.pop());
  return taken;
}

void RedisNode::ExpireWaiting() {
  uint64_t now = loop_->NowMs();
  while (!waiting_.empty() && waiting_.front().deadline_ms <= now) {
    Refuse(waiting_.pop(), Error::Unavailable("redis " + address_ + ": not connected"));
  }
  if (waiting_.empty()) return;
  loop_->Arm(&expire_, std::chrono::milliseconds(waiting_.front().deadline_ms - now));
}

void RedisNode::OpenFresh() {
  if (fresh_ != nullptr) return;
  fresh_ = std::make_unique<RedisConnection>(loop_, options_, address_, this);
  fresh_->Open();
}

void RedisNode::OpenFreshLater() {
  static thread_local std::minstd_rand random{std::random_device()()};
  // Exponential, with full jitter: a thousand clients of one server come back spread out.
  int64_t limit = options_->reconnect_min.count() << std::min(attempts_, 16);
  limit = std::max<int64_t>(1, std::min<int64_t>(limit, options_->reconnect_max.count()));
  ++attempts_;
  loop_->Arm(&reconnect_,
             std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(0, limit)(random)));
}

void RedisNode::OnReady(RedisConnection* connection) {
  if (connection != fresh_.get()) return;
  if (current_ != nullptr) {
    if (current_->outstanding() == 0) {
      Discard(std::move(current_));
    } else {
      retired_.push_back(std::move(current_));  // until answered, or its deadline
    }
  }
  current_ = std::move(fresh_);
  attempts_ = 0;
  impaired_ = false;
  CloseCircuit();
  // What waited goes out behind what the hook asks.
  std::vector<RedisRequest> waited = TakeWaiting();
  owner_->OnNodeReady(this);
  for (RedisRequest& request : waited) Send(std::move(request));
}

void RedisNode::CloseCircuit() {
  circuit_open_ = false;
  up_since_ms_ = loop_->NowMs();
}

void RedisNode::OnReply(RedisConnection* connection, RedisRequest request, RedisReply reply) {
  bool last_of_retired = connection != current_.get() && connection->outstanding() == 0;
  if (last_of_retired) {
    auto at = std::find_if(retired_.begin(), retired_.end(),
                           [&](const auto& r) { return r.get() == connection; });
    if (at != retired_.end()) {
      Discard(std::move(*at));
      retired_.erase(at);
    }
  }
  owner_->OnNodeReply(this, std::move(request), std::move(reply));
}

void RedisNode::MarkImpaired(const RedisReply& reply) {
  impaired_ = true;
  // The name may lead to another master by now: look it up again, at most once a second.
  constexpr uint64_t kRenewEveryMs = 1000;
  if (!reply.text.starts_with("READONLY") || loop_->NowMs() - renewed_ms_ < kRenewEveryMs) return;
  renewed_ms_ = loop_->NowMs();
  OpenFresh();
}

void RedisNode::MarkSound() {
  if (!impaired_) return;
  impaired_ = false;
  up_since_ms_ = loop_->NowMs();
}

void RedisNode::OnSilent(RedisConnection* connection) {
  if (connection != current_.get()) return;
  circuit_open_ = true;
  up_since_ms_ = 0;
  owner_->OnNodeTrouble(this, "redis_circuit_open", "commands outstanding and no byte came");
  OpenFresh();
}

void RedisNode::OnSound(RedisConnection* connection) {
  if (connection == current_.get() && circuit_open_) {
    CloseCircuit();
    Discard(std::move(fresh_));
    reconnect_.Cancel();
  }
}

void RedisNode::OnLost(RedisConnection* connection, const std::string& reason, bool timed_out,
                       std::vector<RedisRequest> unknown, std::vector<RedisRequest> unsent) {
  auto retired = std::find_if(retired_.begin(), retired_.end(),
                              [&](const auto& r) { return r.get() == connection; });
  bool was_current = connection == current_.get();
  if (was_current) {
    Discard(std::move(current_));
    down_since_ms_ = loop_->NowMs();
    up_since_ms_ = 0;
    if (timed_out) circuit_open_ = true;
  } else if (connection == fresh_.get()) {
    Discard(std::move(fresh_));
  } else if (retired != retired_.end()) {
    Discard(std::move(*retired));
    retired_.erase(retired);
  }
  if (retired_.empty() || was_current) {
    owner_->OnNodeTrouble(this, was_current ? "redis_lost" : "redis_not_connected", reason);
  }
  if (fresh_ == nullptr && (current_ == nullptr || circuit_open_)) OpenFreshLater();
  for (RedisRequest& request : unknown) {
    Refuse(std::move(request), Error::Unknown("redis " + address_ + ": " + reason));
  }
  for (RedisRequest& request : unsent) {
    Refuse(std::move(request), Error::Unavailable("redis " + address_ + ": " + reason));
  }
}

}  // namespace runtime
