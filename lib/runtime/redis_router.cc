#include "lib/runtime/redis_router.h"

#include <algorithm>
#include <utility>

#include "lib/runtime/log.h"

namespace runtime {
namespace {

constexpr int kMaxRedirects = 5;
constexpr std::chrono::milliseconds kTickTime(1000);
constexpr uint64_t kLogEveryMs = 5000;

// One writer, the loop: a load and a store, no locked instruction.
class LoopCounter {
 public:
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Subtract(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace

struct RedisRouter::Counters {
  LoopCounter commands, replies, timeouts, refused, reconnects, errors, redirects, circuit_opened,
      outstanding, latency_us_sum, writes_seen;
  LoopCounter latency[kLatencyBucketsUs.size() + 1];
  uint64_t logged_ms = 0;
  bool up_logged = false;
};

RedisRouter::RedisRouter(EventLoop* loop, RedisOptions options)
    : loop_(loop),
      options_(std::move(options)),
      tick_(this),
      counters_(std::make_unique<Counters>()) {}

RedisRouter::~RedisRouter() = default;

void RedisRouter::Start() {
  CHECK(!options_.addresses.empty());
  if (options_.cluster) {
    for (const std::string& seed : options_.addresses) NodeAt(seed);
    loop_->Arm(&tick_, kTickTime);
  } else {
    only_ = NodeAt(options_.addresses.front());
  }
}

RedisNode* RedisRouter::NodeAt(const std::string& address) {
  auto& node = nodes_[address];
  if (node == nullptr) {
    node = std::make_unique<RedisNode>(loop_, &options_, address, options_.cluster, this);
    node->Start();
  }
  return node.get();
}

RedisNode* RedisRouter::AnyNode() {
  if (only_ != nullptr) return only_;
  for (auto& [address, node] : nodes_) {
    if (node->up()) return node.get();
  }
  return nullptr;
}

RedisNode* RedisRouter::NodeFor(const RedisRequest& request) {
  if (only_ != nullptr) return only_;
  if (request.slot < 0) return AnyNode();
  const std::string& owner = slots_.OwnerOf(request.slot);
  return owner.empty() ? nullptr : NodeAt(owner);
}

std::vector<RedisNode*> RedisRouter::Masters() const {
  if (only_ != nullptr) return {only_};
  std::vector<RedisNode*> masters;
  for (const std::string& address : slots_.masters()) {
    auto at = nodes_.find(address);
    if (at != nodes_.end()) masters.push_back(at->second.get());
  }
  return masters;
}

// Commands

bool RedisRouter::Admit(RedisRequest* request, Callback done) {
  loop_->AssertInLoop();
  counters_->commands.Add(1);
  if (counters_->outstanding.value() >= options_.max_outstanding) {
    counters_->refused.Add(1);
    loop_->Defer([done = std::move(done)]() mutable {
      done(Error::Unavailable("redis: too many commands outstanding"));
    });
    return false;
  }
  counters_->outstanding.Add(1);
  request->done = std::move(done);
  request->deadline_ms = loop_->NowMs() + static_cast<uint64_t>(options_.command_deadline.count());
  return true;
}

void RedisRouter::Command(std::string_view key, Args args, Callback done) {
  RedisRequest request;
  if (!Admit(&request, std::move(done))) return;
  request.args = std::move(args);
  if (options_.cluster && !key.empty()) request.slot = RedisSlot(key);
  Route(std::move(request));
}

void RedisRouter::Eval(const RedisScript& script, Args keys, Args args, Callback done) {
  RedisRequest request;
  if (!Admit(&request, std::move(done))) return;
  request.script = &script;
  if (options_.cluster && !keys.empty()) request.slot = RedisSlot(keys.front());
  request.args.reserve(3 + keys.size() + args.size());
  request.args.push_back("EVALSHA");
  request.args.push_back(script.sha1());
  request.args.push_back(std::to_string(keys.size()));
  for (std::string& key : keys) request.args.push_back(std::move(key));
  for (std::string& arg : args) request.args.push_back(std::move(arg));
  Route(std::move(request));
}

void RedisRouter::OnEachMaster(Args args, absl::AnyInvocable<void(std::vector<Reply>)> done) {
  std::vector<RedisNode*> masters = Masters();
  if (masters.empty()) {
    loop_->Defer([done = std::move(done)]() mutable {
      done({Error::Unavailable("redis: masters not known yet")});
    });
    return;
  }
  struct Gathering {
    std::vector<Reply> replies;
    size_t missing;
    absl::AnyInvocable<void(std::vector<Reply>)> done;
  };
  auto all = std::make_shared<Gathering>();
  all->missing = masters.size();
  all->done = std::move(done);
  for (size_t i = 0; i < masters.size(); ++i) {
    all->replies.push_back(Error::Failed("not asked"));
  }
  for (size_t i = 0; i < masters.size(); ++i) {
    RedisRequest request;
    auto take = [all, i](Reply reply) {
      all->replies[i] = std::move(reply);
      if (--all->missing == 0) all->done(std::move(all->replies));
    };
    if (!Admit(&request, take)) continue;
    request.args = args;
    masters[i]->Send(std::move(request));
  }
}

void RedisRouter::Route(RedisRequest request) {
  RedisNode* node = NodeFor(request);
  if (node != nullptr) return node->Send(std::move(request));
  slots_wanted_ = true;
  unrouted_.push(std::move(request));
}

// Replies

void RedisRouter::Finish(RedisRequest request, Reply reply) {
  Counters& c = *counters_;
  if (!request.internal) {
    c.outstanding.Subtract(1);
    if (reply.has_value()) {
      c.replies.Add(1);
      if (reply->IsError()) c.errors.Add(1);
      uint64_t us = request.replied_us - std::min(request.replied_us, request.sent_us);
      c.latency_us_sum.Add(us);
      auto bound = std::lower_bound(kLatencyBucketsUs.begin(), kLatencyBucketsUs.end(), us);
      c.latency[bound - kLatencyBucketsUs.begin()].Add(1);
    } else {
      (reply.error().unknown() ? c.timeouts : c.refused).Add(1);
    }
  }
  if (request.done) request.done(std::move(reply));
}

void RedisRouter::OnNodeRefused(RedisRequest request, Error error) {
  Counters& c = *counters_;
  if (!request.internal) {
    c.outstanding.Subtract(1);
    (error.unknown() ? c.timeouts : c.refused).Add(1);
  }
  if (!request.done) return;
  loop_->Defer([done = std::move(request.done), error = std::move(error)]() mutable {
    done(std::move(error));
  });
}

void RedisRouter::OnNodeReply(RedisNode* node, RedisRequest request, RedisReply reply) {
  if (!reply.IsError()) {
    node->MarkSound();
    return Finish(std::move(request), std::move(reply));
  }
  if (request.script != nullptr && reply.text.starts_with("NOSCRIPT") &&
      request.args[0] == "EVALSHA") {
    request.args[0] = "EVAL";
    request.args[1] = request.script->source();
    return node->Send(std::move(request));
  }
  if (options_.cluster && Redirect(node, &request, reply)) return;
  if (IsTransient(reply)) node->MarkImpaired(reply);
  Finish(std::move(request), std::move(reply));
}

// True: the request went elsewhere.
bool RedisRouter::Redirect(RedisNode* node, RedisRequest* request, const RedisReply& reply) {
  std::optional<RedisRedirect> redirect = ParseRedirect(reply.text, node->address());
  if (!redirect.has_value() || request->args.empty()) return false;
  if (!redirect->ask) {
    slots_.Move(redirect->slot, redirect->address);
    slots_wanted_ = true;  // more has moved than this slot
  }
  if (request->redirects >= kMaxRedirects) return false;
  ++request->redirects;
  counters_->redirects.Add(1);
  request->asking = redirect->ask;
  NodeAt(redirect->address)->Send(std::move(*request));
  return true;
}

void RedisRouter::OnNodeReady(RedisNode* node) {
  counters_->reconnects.Add(1);
  LogInfo("redis_up", "connected to Redis", {{"address", node->address()}});
  if (options_.cluster && (slots_wanted_ || !slots_.Complete())) AskForSlots(node);
  if (connected_hook_) connected_hook_(node->address());
}

void RedisRouter::OnNodeTrouble(RedisNode* node, const char* what, const std::string& reason) {
  if (std::string_view(what) == "redis_circuit_open") counters_->circuit_opened.Add(1);
  slots_wanted_ = true;
  uint64_t now = loop_->NowMs();
  bool lost = std::string_view(what) == "redis_lost";
  if (!lost && counters_->logged_ms != 0 && now - counters_->logged_ms < kLogEveryMs) return;
  counters_->logged_ms = now;
  LogWarn(what, "no use of Redis at the moment",
          {{"address", node->address()}, {"reason", reason}});
}

// Cluster

void RedisRouter::AskForSlots(RedisNode* node) {
  if (slots_asked_) return;
  slots_asked_ = true;
  RedisRequest request;
  request.internal = true;
  request.args = {"CLUSTER", "SLOTS"};
  request.deadline_ms = loop_->NowMs() + static_cast<uint64_t>(options_.command_deadline.count());
  request.done = [this, node_address = node->address()](Reply reply) {
    slots_asked_ = false;
    auto at = nodes_.find(node_address);
    if (reply.has_value() && at != nodes_.end()) TakeSlots(at->second.get(), *reply);
  };
  node->Send(std::move(request));
}

void RedisRouter::TakeSlots(RedisNode* from, const RedisReply& reply) {
  std::optional<RedisSlotMap> map = RedisSlotMap::Parse(reply, from->address());
  if (!map.has_value()) return;
  bool complete = map->Complete();
  if (complete != (slots_since_ms_ != 0)) slots_since_ms_ = complete ? loop_->NowMs() : 0;
  slots_ = std::move(*map);
  slots_wanted_ = !complete;
  for (const std::string& address : slots_.masters()) NodeAt(address);
  // What waits goes where it belongs now.
  std::vector<RedisRequest> waiting;
  while (!unrouted_.empty()) waiting.push_back(unrouted_.pop());
  for (auto& [address, node] : nodes_) {
    for (RedisRequest& request : node->TakeWaiting()) waiting.push_back(std::move(request));
  }
  for (RedisRequest& request : waiting) {
    const bool routed = request.slot >= 0 && !slots_.OwnerOf(request.slot).empty();
    if (routed) {
      NodeAt(slots_.OwnerOf(request.slot))->Send(std::move(request));
    } else if (RedisNode* any = request.slot < 0 ? AnyNode() : nullptr; any != nullptr) {
      any->Send(std::move(request));
    } else {
      unrouted_.push(std::move(request));
    }
  }
}

void RedisRouter::OnTick() {
  loop_->Arm(&tick_, kTickTime);
  uint64_t now = loop_->NowMs();
  while (!unrouted_.empty() && unrouted_.front().deadline_ms <= now) {
    OnNodeRefused(unrouted_.pop(), Error::Unavailable("redis: slot served by nobody"));
  }
  const std::vector<std::string>& masters = slots_.masters();
  bool all_up = !masters.empty(), any_up = false;
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    RedisNode* node = at->second.get();
    bool is_master = std::find(masters.begin(), masters.end(), at->first) != masters.end();
    any_up = any_up || node->up();
    if (is_master && !node->up()) all_up = false;
    // Seeds and former masters go once the map is whole and nothing is due from them.
    if (!is_master && !slots_wanted_ && slots_.Complete() && node->idle()) {
      nodes_.erase(at++);
    } else {
      ++at;
    }
  }
  if (!any_up) {
    for (const std::string& seed : options_.addresses) NodeAt(seed);
  }
  if (!slots_wanted_ && all_up && slots_.Complete()) return;
  if (RedisNode* node = AnyNode(); node != nullptr) AskForSlots(node);
}

// State

std::vector<std::string> RedisRouter::MasterTags() const {
  if (only_ != nullptr) return {"0"};
  return slots_.Complete() ? slots_.TagPerMaster() : std::vector<std::string>();
}

RedisClient::State RedisRouter::state() const {
  if (only_ != nullptr) return only_->state();
  std::vector<RedisNode*> masters = Masters();
  if (masters.empty() || masters.size() < slots_.masters().size()) return State::kConnecting;
  State worst = slots_.Complete() ? State::kUp : State::kConnecting;
  for (RedisNode* node : masters) {
    if (node->state() == State::kOpen) return State::kOpen;
    if (node->state() == State::kConnecting) worst = State::kConnecting;
  }
  return worst;
}

uint64_t RedisRouter::whole_since_ms() const {
  if (options_.cluster && slots_since_ms_ == 0) return 0;
  uint64_t since = slots_since_ms_;
  std::vector<RedisNode*> masters = Masters();
  if (masters.empty() || (options_.cluster && masters.size() < slots_.masters().size())) return 0;
  for (RedisNode* node : masters) {
    if (!node->up() || node->up_since_ms() == 0) return 0;
    since = std::max(since, node->up_since_ms());
  }
  return since;
}

void RedisRouter::OnConnected(absl::AnyInvocable<void(const std::string&)> hook) {
  connected_hook_ = std::move(hook);
}

RedisClient::Stats RedisRouter::stats() const {
  const Counters& c = *counters_;
  Stats s;
  s.commands = c.commands.value();
  s.replies = c.replies.value();
  s.timeouts = c.timeouts.value();
  s.refused = c.refused.value();
  s.reconnects = c.reconnects.value();
  s.errors = c.errors.value();
  s.redirects = c.redirects.value();
  s.circuit_opened = c.circuit_opened.value();
  s.outstanding = c.outstanding.value();
  s.latency_us_sum = c.latency_us_sum.value();
  for (const LoopCounter& bucket : c.latency) s.latency_us_buckets.push_back(bucket.value());
  return s;
}

}  // namespace runtime
